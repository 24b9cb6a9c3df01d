import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import sharp from 'sharp';
import type { RunFolder } from '../files/folder.ts';
import { readMetrics } from '../files/metrics.ts';
import type { EvaluationRecord } from '../loop/records.ts';
import { chartsOf, renderChart } from './charts.ts';
import { type ReportContents, reportHtml } from './html.ts';

/** Pictures of a run folder that the report shows, in this order, with what they show. */
const PICTURES: readonly (readonly [name: string, caption: string])[] = [
  ['validation', 'Validation images: the truth beside what the model found'],
  ['panels_0', 'Six panels of one validation image'],
  ['panels_1', 'Six panels of another validation image'],
  ['train_batch_0', 'The first training batch, as the model is shown it'],
  ['train_batch_1', 'The second training batch'],
  ['train_batch_2', 'The third training batch'],
];

/** Writes `report.html` from what lies in a run folder, and the curves beside it as vega-lite specifications. */
export async function writeReport(folder: RunFolder, title: string, summary: ReportContents['summary']): Promise<void> {
  const charts = chartsOf(readMetrics(join(folder.path, 'metrics.jsonl')));
  await atomicWrite(join(folder.path, 'curves.json'), `${JSON.stringify(charts, null, 1)}\n`);
  const contents: ReportContents = {
    title,
    summary,
    charts: await Promise.all(charts.map(renderChart)),
    evaluation: existsSync(folder.evaluation)
      ? (JSON.parse(readFileSync(folder.evaluation, 'utf8')) as EvaluationRecord)
      : undefined,
    pictures: await Promise.all(
      PICTURES.filter(([name]) => existsSync(folder.picture(name))).map(async ([name, caption]) => ({
        caption,
        webp: await sharp(folder.picture(name)).webp({ quality: 85 }).toBuffer(), // a tenth of the PNG: the page can be mailed
      })),
    ),
    config: readFileSync(folder.config, 'utf8'),
    environment: JSON.parse(readFileSync(folder.environment, 'utf8')) as Record<string, unknown>,
  };
  await atomicWrite(folder.report, reportHtml(contents));
}
