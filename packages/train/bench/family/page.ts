import { type Row, SEEN } from './table.ts';

/**
 * The rows that stand in the table of a page, as exactly as it has them, so that some can be renewed where the files of the
 * others are gone. None where the page has no such table.
 */
export function rowsOfPage(page: string): Row[] {
  const lines = page.split('\n').filter((line) => line.startsWith('|'));
  const head = lines.findIndex((line) => cellsOf(line).join() === SEEN.join());
  if (head < 0) return [];
  const end = lines.findIndex((line, at) => at > head && cellsOf(line).length !== SEEN.length);
  return lines.slice(head + 2, end < 0 ? undefined : end).map((line) => rowOf(cellsOf(line)));
}

function cellsOf(line: string): string[] {
  return line.split('|').slice(1, -1).map((cell) => cell.trim()); // biome-ignore format: one line
}

function rowOf([arch, ...cells]: readonly string[]): Row {
  const values = cells.map((cell) => (cell === '' ? undefined : Number.parseFloat(cell)));
  const share = (at: number): number => values[at]! / 100;
  const [time, steps, minutes, parameters, peakMiB] = values.slice(8);
  return {
    arch: arch!,
    steps: steps!,
    parameters: parameters! * 1e6,
    trainingSeconds: minutes === undefined ? undefined : minutes * 60,
    processorMillisecondsPerPicture: time!,
    peakMiB,
    segm: values[0] === undefined ? undefined : { ap: share(0), ap50: share(1), ap90: share(2), boundary: share(3) },
    bbox: { ap: share(4), ap50: share(5) },
    keypoints: values[6] === undefined ? undefined : { ap: share(6), ap50: share(7) },
    processor: cells[13] === '' ? undefined : cells[13],
  };
}
