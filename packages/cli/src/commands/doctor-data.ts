import type { DatasetReport } from '@rcnn/coco-data/node';
import { counted, printable } from '@rcnn/core/errors';
import type { DatasetFlags } from '../options/dataset-options.ts';
import { requireWritable, requireWritableFolder } from '../options/output-file.ts';
import { print, printJson } from '../output/print.ts';

export interface DoctorDataOptions extends DatasetFlags {
  readonly json?: boolean;
  /** Folder for a repaired copy. */
  readonly fix?: string;
  /** Fail on warnings too. */
  readonly strict?: boolean;
  /** File with the SHA-256 of every image: checked when it is there, else written. */
  readonly manifest?: string;
}

/**
 * `mask-rcnn doctor DATA`: everything that is wrong with a dataset, at once. Exit code 1 when there are errors; with
 * `--fix`, when the copy lacks more than a tenth of the objects, or all of an image's.
 */
export async function doctorData(path: string, options: DoctorDataOptions): Promise<void> {
  const { accountText, inspectDataset, readManifest, repairDataset, writeManifest } = await import(
    '@rcnn/coco-data/node'
  );
  const { openOptions } = await import('../options/dataset-options.ts');
  const { manifest } = options;
  const expected = manifest === undefined ? undefined : await readManifest(manifest);
  if (expected === undefined) requireWritable('--manifest', manifest);
  requireWritableFolder('--fix', options.fix);
  const inspection = await inspectDataset(path, {
    ...(await openOptions(options)),
    ...(expected && { expected }),
    digests: manifest !== undefined,
  });
  const { report, digests } = inspection;
  if (manifest !== undefined && expected === undefined) await writeManifest(manifest, digests);
  const repaired = options.fix === undefined ? undefined : await repairDataset(inspection, options.fix);
  if (options.json) {
    printJson({ ...report, ...repaired });
  } else {
    print(...reportLines(report));
    if (options.fix === undefined) print(...repairLines(report));
    print(...(await adviceLines(report)));
    if (manifest !== undefined) {
      const verb = expected === undefined ? 'now in' : 'as in';
      print(`${counted(digests.size, 'image is sound', 'images are sound')} and ${verb} ${manifest}.`);
    }
    if (repaired) {
      const { repairs, account, left } = repaired;
      print('', `${counted(repairs.length, 'repair')}; the copy is in ${options.fix}, the list in repairs.json there.`);
      for (const { count, title } of left) print(`In the copy as well: ${title} (${count})`);
      print(accountText(account));
      // Who copied a part of a set wants the copy, however much of the whole it lacks.
      if (account.isLossy && !hasErrors(left)) print('What is in it is sound: where the rest is not wanted, use it.');
    }
  }
  const isBad = report.counts.error > 0 || (options.strict === true && report.counts.warning > 0);
  // With a copy, what counts is whether it can stand for the original.
  const isPoor = repaired && (repaired.account.isLossy || hasErrors(repaired.left));
  if (isPoor ?? isBad) process.exitCode = 1;
}

function hasErrors(problems: DatasetReport['problems']): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

/** What can be done about errors, as it is typed. */
function repairLines({ path, counts }: DatasetReport): string[] {
  if (counts.error === 0) return [];
  return [
    '',
    'A copy without them, repaired where that can be done, and a list of what was done:',
    `  mask-rcnn doctor ${shellWord(printable(path))} --fix repaired`,
  ];
}

const SHOWN = 5; // examples per kind in text; JSON has 20

function reportLines({ path, splits, classes, problems, counts }: DatasetReport): string[] {
  const lines: string[] = [path, ''];
  for (const { split, format, images, objects, crowds, emptyImages, sizes, smallest, largest } of splits) {
    lines.push(`${split} (${format}): ${counted(images, 'image')}, ${counted(objects, 'object')}`);
    lines.push(`  ${counted(crowds, 'crowd')}, ${counted(emptyImages, 'image')} without objects`);
    lines.push(`  objects: ${sizes.small} small, ${sizes.medium} medium, ${sizes.large} large`);
    if (smallest && largest) lines.push(`  images: ${sizeText(smallest)} to ${sizeText(largest)} pixels`);
  }
  lines.push(
    '',
    ...classLines(
      classes,
      splits.map(({ split }) => split),
    ),
    '',
  );
  for (const { severity, kind, title, count, examples } of problems) {
    lines.push(`${severity} ${kind}: ${title} (${count})`);
    for (const { source, place, found } of examples.slice(0, SHOWN)) {
      const at = [source, place].filter((part) => part !== '' && part !== '.'); // the folder that one stands in, a whole file
      lines.push(`  ${at.join(' ')}: ${found}`);
    }
    if (count > SHOWN) lines.push(`  … and ${count - SHOWN} more`);
  }
  if (problems.length > 0) lines.push('');
  lines.push(
    [counted(counts.error, 'error'), counted(counts.warning, 'warning'), counted(counts.note, 'note')].join(', '),
  );
  return lines;
}

/** What sizes ask of a model: of the split that is trained on, with the options as they are typed. */
async function adviceLines({ path, splits, classes }: DatasetReport): Promise<string[]> {
  const trained = splits.find(({ split }) => /^train/i.test(split)) ?? splits[0];
  if (trained?.objectSizes === undefined) return [];
  const { adviseSizes } = await import('@rcnn/coco-data');
  const { because, options } = adviseSizes(trained.objectSizes);
  const shown = trained.objectSizes.histogram.filter(({ objects }) => objects > 0);
  const bars = shown.map(({ below, objects }) => `${below === null ? '1024 or more' : `below ${below}`}: ${objects}`);
  return [
    ...namelessLines(trained, classes),
    '',
    `Objects of ${printable(trained.split)} by their side in pixels: ${bars.join(', ')}`,
    ...because,
    'As options, beside a preset and first weights:',
    `  mask-rcnn train ${shellWord(printable(path))} ${options}`,
  ];
}

/** VIA lets people draw without naming a class: then the name that predictions have is ours, and can be chosen. */
function namelessLines(
  { split, format }: DatasetReport['splits'][number],
  classes: DatasetReport['classes'],
): string[] {
  const [first] = classes;
  if (format !== 'via' || classes.length !== 1 || first?.name !== 'object') return [];
  return ['', `The outlines of ${printable(split)} name no class, so it is 'object': --class-name NAME names it.`];
}

/** A path as shells take it: in quotes where it has more than letters, digits and plain signs. */
function shellWord(path: string): string {
  return /^[\w@%+=:,./\\~-]+$/.test(path) ? path : `"${path.replaceAll(/["$`]/g, '\\$&')}"`;
}

/** Objects per class, most first, with a bar for the eye. */
function classLines(classes: DatasetReport['classes'], splits: readonly string[]): string[] {
  const total = (objects: Readonly<Record<string, number>>): number =>
    splits.reduce((sum, split) => sum + (objects[split] ?? 0), 0);
  const used = classes.filter(({ objects }) => total(objects) > 0).sort((a, b) => total(b.objects) - total(a.objects));
  const most = Math.max(1, ...used.map(({ objects }) => total(objects)));
  const width = Math.max(5, ...used.map(({ name }) => printable(name).length));
  const columns = splits.map((split) => Math.max(printable(split).length, String(most).length));
  const head = ['class'.padEnd(width), ...splits.map((split, i) => printable(split).padStart(columns[i]!))].join('  ');
  const rows = used.map(({ name, objects }) => {
    const numbers = splits.map((split, i) => String(objects[split] ?? 0).padStart(columns[i]!));
    const bar = '▇'.repeat(Math.max(1, Math.round((24 * total(objects)) / most)));
    return [printable(name).padEnd(width), ...numbers, bar].join('  ');
  });
  return used.length === 0 ? [] : [head, ...rows];
}

function sizeText([height, width]: readonly [number, number]): string {
  return `${width}x${height}`;
}
