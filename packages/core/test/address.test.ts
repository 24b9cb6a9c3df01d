import { describe, expect, test } from 'vitest';
import { addressOf, unescaped } from '../src/address.ts';

describe('addressOf', () => {
  test.each(['http://', 'https://[x', 'x.pth', '', 'http://a:99999/'])('refuses %o with one code', (text) => {
    expect(() => addressOf(text, 'load')).toThrowError(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', where: 'load', found: text }),
    );
  });

  test('takes addresses, and relative ones where there is a base', () => {
    expect(addressOf('HTTPS://a.org/x y', 'load').href).toBe('https://a.org/x%20y');
    expect(addressOf('../b', 'load', 'https://a.org/c/d').href).toBe('https://a.org/b');
  });
});

test.each([
  ['a%20b', 'a b'],
  ['%E6%97%A5', '日'],
  ['100%', '100%'],
  ['%E0%A4%A', '%E0%A4%A'],
])('unescaped(%o)', (text, plain) => expect(unescaped(text)).toBe(plain));
