import { statSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { readTextSync } from '@rcnn/files';
import sharp from 'sharp';
import { z } from 'zod';
import type { RunFolder } from '../files/folder.ts';
import { readMetrics } from '../files/metrics.ts';
import { readHistory } from '../files/run-file.ts';
import { mostTellingFirst } from '../loop/kinds.ts';
import type { EvaluationRecord } from '../loop/records.ts';
import { chartsOf, renderChart } from './charts.ts';
import { type ReportContents, reportHtml } from './html.ts';
import { nextSteps, type RunFacts } from './next-steps.ts';

type Picture = ReportContents['pictures'][number];

const kind = z.object({
  stats: z.array(z.number()),
  summary: z.string(),
  classes: z.array(z.object({ name: z.string(), ap: z.number(), ap50: z.number() })),
});

/** An evaluation of another form is not shown: it is only history. */
const evaluation: z.ZodType<EvaluationRecord> = z.object({
  epoch: z.number(),
  images: z.number(),
  results: z.partialRecord(z.enum(['bbox', 'segm', 'keypoints']), kind),
  losses: z.record(z.string(), z.number().or(z.null().transform(() => Number.NaN))), // JSON has no NaN
  seconds: z.number(),
});

const numberOrNone = z.number().or(z.null().transform(() => Number.NaN)); // JSON has no NaN
const rates = { precision: z.number(), recall: z.number(), f1: z.number() };
const best = z.object({ scoreThreshold: numberOrNone, f1: z.number() });

/** As much of an analysis as the report shows. */
const analysis: z.ZodType<ReportContents['analysis']> = z.partialRecord(
  z.enum(['bbox', 'segm', 'keypoints']),
  z.object({
    report: z.object({
      scoreThreshold: z.number(),
      classes: z.array(z.object({ name: z.string(), support: z.number(), ...rates, best })),
      macro: z.object(rates),
      best,
    }),
    plots: z.array(z.string()),
  }),
);

/** Pictures of a run folder that the report shows, in this order, with what they show. */
const PICTURES: readonly (readonly [name: string, caption: string])[] = [
  [
    'validation',
    'Validation images, the truth beside what the model found: those with the most errors first, then some of all',
  ],
  ['panels_0', 'Six panels of one validation image'],
  ['panels_1', 'Six panels of another validation image'],
  ['train_batch_0', 'The first training batch, as the model is shown it'],
  ['train_batch_1', 'The second training batch'],
  ['train_batch_2', 'The third training batch'],
];

/** Writes `report.html` from what lies in a run folder, and the curves beside it as vega-lite specifications. */
export async function writeReport(
  folder: RunFolder,
  { title, summary, warnings }: Pick<ReportContents, 'title' | 'summary'> & { readonly warnings: readonly string[] },
): Promise<void> {
  const metrics = readMetrics(join(folder.path, 'metrics.jsonl'));
  const charts = chartsOf(metrics);
  const measured = readHistory(folder.evaluation, evaluation);
  const analysed = readHistory(folder.analysis, analysis);
  await atomicWrite(join(folder.path, 'curves.json'), `${JSON.stringify(charts, null, 1)}\n`);
  const contents: ReportContents = {
    title,
    summary,
    charts: await Promise.all(charts.map(renderChart)),
    evaluation: measured,
    analysis: analysed,
    next: [...warnings, ...nextSteps({ metrics, evaluation: measured, rates: ratesOf(analysed), folder: folder.path })],
    pictures: (await Promise.all(PICTURES.map((picture) => pictureOf(folder, picture)))).flat(),
    config: readTextSync(folder.config),
    environment: readHistory(folder.environment, z.record(z.string(), z.unknown())) ?? {},
  };
  await atomicWrite(folder.report, reportHtml(contents));
}

/** Precision and recall of what the detector is made for. */
function ratesOf(analysed: ReportContents['analysis']): RunFacts['rates'] {
  const kind = mostTellingFirst(Object.keys(analysed ?? {}))[0] as keyof NonNullable<typeof analysed> | undefined;
  return kind && analysed?.[kind]?.report.macro;
}

/** A picture as the page carries it. One that is not there, or that is broken, costs only itself. */
async function pictureOf(folder: RunFolder, [name, caption]: (typeof PICTURES)[number]): Promise<Picture[]> {
  const file = folder.picture(name);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return [];
  try {
    return [{ caption, webp: await sharp(file).webp({ quality: 85 }).toBuffer() }]; // a tenth of the PNG: the page can be mailed
  } catch {
    return [];
  }
}
