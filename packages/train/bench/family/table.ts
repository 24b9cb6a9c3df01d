import { published } from './published.ts';

export interface Row {
  readonly arch: string;
  readonly steps: number;
  readonly parameters: number;
  /** Of all threads, for the whole training; like its memory absent where two processes shared it. */
  readonly trainingSeconds?: number | undefined;
  /** By the clock on the wall; unknown of rows that a page kept. */
  readonly millisecondsPerPicture?: number | undefined;
  /** The same by the processor's clock, of all threads: what other work on the machine does not change. */
  readonly processorMillisecondsPerPicture: number;
  readonly peakMiB?: number | undefined;
  /** What the method finds. */
  readonly segm?: Numbers | undefined;
  readonly keypoints?: Numbers | undefined;
  readonly bbox: Numbers;
  /** Where it was seen. */
  readonly processor?: string | undefined;
}

export interface Numbers {
  readonly ap: number;
  readonly ap50: number;
  /** AP at an IoU of 0.9. */
  readonly ap90?: number | undefined;
  /** Boundary AP, of masks. */
  readonly boundary?: number | undefined;
}

export interface TableFacts {
  /** How many, and of what. */
  readonly pictures: string;
  /** Architectures that were not measured. */
  readonly missing: readonly string[];
  /** Absent where rows of earlier runs stand beside those of this one. */
  readonly machine?: string | undefined;
  readonly engine: string;
  /** Without what is published, which another table of the page has. Default false. */
  readonly isAlone?: boolean;
}

/** What was seen, a line for each method; beside it what its owners published. */
export function asMarkdown(rows: readonly Row[], facts: TableFacts): string {
  const { pictures, missing, machine, engine, isAlone = false } = facts;
  const about = [
    `${pictures}, batches of 4, ${engine}.`,
    machine === undefined ? 'Each method was seen on the processor that is named.' : `${machine}.`,
    'Times of pictures and trainings are of the processor, all threads together; a picture is predicted with its masks.',
    ...(missing.length > 0 ? [`Not measured: ${missing.join(', ')}.`] : []),
  ];
  const parts = [seen(rows), about.join(' '), ...(isAlone ? [] : [claimed(rows)])];
  return `${parts.join('\n\n')}\n`;
}

/** The head of the table. */
export const SEEN = ['Method', 'mask AP', 'AP50', 'AP at 0.9', 'boundary AP', 'box AP', 'box AP50', 'key point AP', 'AP50', 'ms a picture', 'steps', 'minutes', 'parameters', 'peak MiB', 'seen on']; // biome-ignore format: one line

function seen(rows: readonly Row[]): string {
  const lines = rows.map(({ arch, segm, keypoints, bbox, ...row }) => [
    arch,
    percent(segm?.ap),
    percent(segm?.ap50),
    percent(segm?.ap90),
    percent(segm?.boundary),
    percent(bbox.ap),
    percent(bbox.ap50),
    percent(keypoints?.ap),
    percent(keypoints?.ap50),
    row.processorMillisecondsPerPicture.toFixed(0),
    String(row.steps),
    row.trainingSeconds === undefined ? '' : (row.trainingSeconds / 60).toFixed(1),
    `${(row.parameters / 1e6).toFixed(2)} M`,
    row.peakMiB?.toFixed(0) ?? '',
    row.processor ?? '',
  ]);
  return markdownTable([SEEN, ...lines]);
}

/** Mask AP (key points: theirs) minus Mask R-CNN's, as seen here and as published. */
function claimed(rows: readonly Row[]): string {
  const main = (row: Row | undefined): number | undefined => (row?.segm ?? row?.keypoints ?? row?.bbox)?.ap;
  const base = rows.find(({ arch }) => arch === 'maskrcnn_small');
  const lines = rows.map((row) => {
    const { model, ap, seconds, source } = published[row.arch] ?? { model: '', ap: '', seconds: '', source: '' };
    // Of the numbers as they are shown, so that a reader who subtracts them finds the same.
    const apart = base?.segm && row.segm ? Number(percent(main(row))) - Number(percent(main(base))) : undefined;
    const signed = apart === undefined ? '' : `${apart >= 0 ? '+' : ''}${apart.toFixed(1)}`;
    return [row.arch, signed, model, ap, seconds, source];
  });
  const head = ['Method', 'here, against maskrcnn_small', 'published as', 'AP on COCO', 'time of a picture', 'by'];
  return markdownTable([head, ...lines]);
}

function percent(value: number | undefined): string {
  return value === undefined ? '' : (100 * value).toFixed(1);
}

/** With columns of one width, as the formatter leaves them. */
function markdownTable([head, ...lines]: readonly (readonly string[])[]): string {
  const widths = head!.map((_, column) => Math.max(...[head!, ...lines].map((line) => line[column]!.length)));
  const rows = [head!, widths.map((width) => '-'.repeat(width)), ...lines];
  return rows.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`).join('\n');
}
