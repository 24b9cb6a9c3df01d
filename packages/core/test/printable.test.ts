import { describe, expect, test } from 'vitest';
import { printable, printableLines, quoteName, RcnnError, shortened } from '../src/errors.ts';

describe('printable', () => {
  test.each([
    ['a terminal title', '\u001b]0;pwned\u0007', String.raw`\u{1b}]0;pwned\u{7}`],
    ['a second line', 'x\nerror FAKE: y\r\n', String.raw`x\nerror FAKE: y\r\n`],
    ['C1, which some terminals obey', 'a\u009b31mb\u0085', String.raw`a\u{9b}31mb\u{85}`],
    ['a turned file ending', 'cute\u202egnp.exe', String.raw`cute\u{202e}gnp.exe`],
    ['marks and separators', '\u200e\u2067\u2028\u2029\u061c', String.raw`\u{200e}\u{2067}\u{2028}\u{2029}\u{61c}`],
    ['nothing to see', '\u200b\u2060\ufeff\u0000', String.raw`\u{200b}\u{2060}\u{feff}\u{0}`],
    ['half a character', 'a\ud83d', String.raw`a\u{d83d}`],
  ])('%s', (_, text, shown) => expect(printable(text)).toBe(shown));

  test.each(['', 'Größe 1 #2/日本/emoji 😀👩‍👧.png', String.raw`C:\new\table`, 'q\'uote"', 'می‌خواهم'])(
    'leaves %o',
    (text) => expect(printable(text)).toBe(text),
  );

  test('lines of our own stay lines', () => expect(printableLines('a\n\tb')).toBe('a\n\\tb'));
});

test('a long name loses its middle, between whole characters', () => {
  expect(quoteName('a\tb')).toBe(String.raw`'a\tb'`);
  expect(quoteName('😀'.repeat(7), 6)).toBe("'😀…😀' (14 characters)");
  expect(quoteName('😀'.repeat(3), 6)).toBe(`'${'😀'.repeat(3)}'`);
  expect(shortened('abcdef', 4)).toBe('ab…ef');
  expect(new RcnnError('FILE_MISSING', { where: 'x'.repeat(1e6), problem: 'y' }).message.length).toBeLessThan(1100);
});

test('an error says names so that they can be printed; its fields keep them as they are', () => {
  const name = 'x\n\u001b[31merror FAKE: y';
  const error = new RcnnError('FILE_MISSING', {
    where: name,
    place: name,
    problem: `two lines\n${name}`,
    found: name,
    expected: name,
    hint: name,
  });
  expect(error.message.match(/\n/g)).toHaveLength(3); // of problem and hint, which may have lines
  expect(error.message).not.toContain('\u001b');
  expect(error.where).toBe(name);
});
