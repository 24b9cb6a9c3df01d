import { expect, test } from 'vitest';
import { downloadReporter } from '../src/node/index.ts';

const url = 'https://example.org/body.pth';
const path = '/cache/body.pth';
const size = 170_000_000;

function linesOf(every: number): { lines: string[]; report: ReturnType<typeof downloadReporter> } {
  const lines: string[] = [];
  return { lines, report: downloadReporter((line) => lines.push(line), { every }) };
}

test('thousands of pieces are a line at the beginning, not one each', () => {
  const { lines, report } = linesOf(Number.POSITIVE_INFINITY);
  report({ kind: 'begin', url, path, from: 0, size });
  for (let received = 16_384; received < size; received += 16_384) report({ kind: 'progress', url, received, size });
  report({ kind: 'progress', url, received: size, size });
  report({ kind: 'done', url, path, size });
  report({ kind: 'cached', path });
  expect(lines).toEqual([`downloading ${url} (170.0 MB) to ${path}`]);
});

test('what takes long says how far it is', () => {
  const { lines, report } = linesOf(0);
  report({ kind: 'begin', url, path, from: 20_000_000, size });
  report({ kind: 'progress', url, received: 51_200_000, size });
  report({ kind: 'progress', url, received: size, size });
  expect(lines).toEqual([
    `downloading ${url} (170.0 MB, of which 20.0 MB are here) to ${path}`,
    'downloaded 51.2 MB of 170.0 MB',
  ]);
});

test('a server that does not say how much it sends', () => {
  const { lines, report } = linesOf(0);
  report({ kind: 'begin', url, path, from: 0 });
  report({ kind: 'progress', url, received: 51_200_000 });
  expect(lines).toEqual([`downloading ${url} to ${path}`, 'downloaded 51.2 MB']);
});

test('a second try and a warning say why', () => {
  const { lines, report } = linesOf(0);
  report({ kind: 'retry', url, attempt: 1, reason: 'the server cannot be reached (ENOTFOUND)' });
  report({ kind: 'warning', path, message: 'nothing said which file this should be' });
  expect(lines).toEqual([
    'the server cannot be reached (ENOTFOUND); trying again',
    `warning: ${path}: nothing said which file this should be`,
  ]);
});
