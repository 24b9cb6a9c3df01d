import { expect, test } from 'vitest';
import { readYaml } from '../src/node/index.ts';

test('a document, or its first fault with its place', () => {
  expect(readYaml('a: 1\nb: [x]').document.toJS()).toEqual({ a: 1, b: ['x'] });
  expect(readYaml('a: 1').fault).toBeUndefined();
  expect(readYaml('a: 1\nb:\n  c: 1\n  c: 2').fault).toEqual({ offset: 17, problem: 'Map keys must be unique' });
  expect(readYaml('a: [').fault).toMatchObject({ problem: expect.stringMatching(/flow/i) });
  expect(readYaml('*a: 1').fault).toBeDefined(); // the parser only warns of this one
  expect(readYaml('x'.repeat(2 ** 21)).fault).toMatchObject({ problem: expect.stringContaining('longer than') });
});

test.each(['\u0000', '\u001b]0;x\u0007', '\u007f', '\u009b', '\ud800', '\uffff'])(
  'what YAML allows in no text is a fault, as PyYAML has it: %j',
  (character) => {
    expect(readYaml(`a: 1\nb: x${character}`).fault).toMatchObject({
      offset: 9,
      problem: expect.stringContaining('control character'),
    });
  },
);

test('tabs, line ends and all that can be seen are allowed', () => {
  const text = 'a: "é\t\u0085😀"\r\nb: [1,\t2]\r\n';
  expect(readYaml(text).fault).toBeUndefined();
});

test('nothing is printed: the warnings of the parser have the text of the file in them', async () => {
  const warnings: unknown[] = [];
  const keep = (warning: unknown): void => void warnings.push(warning);
  process.on('warning', keep);
  readYaml('a: 1\n*b\u001b]0;x\u0007: 2');
  readYaml('%YAML 9.9\n---\na: !x 1').document.toJS();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', keep);
  expect(warnings).toEqual([]);
});
