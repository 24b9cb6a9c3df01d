import { atomicWrite } from '@rcnn/checkpoint/node';
import type { ClassificationReport } from '@rcnn/coco-eval';
import { counted, printable } from '@rcnn/core/errors';
import { kindInWords, type ModelEvaluation } from '@rcnn/train';
import { jsonText, note, print, printJson } from '../output/print.ts';

/** How numbers of a model on data are told. */
export interface ReportFlags {
  readonly results?: string;
  readonly json?: boolean;
  readonly perClass?: boolean;
  /** From which score on detections are looked at; true where the mean F1 over classes is highest. */
  readonly report?: number | true;
}

/** Prints an evaluation, and writes its results list where one is wanted; when that goes to stdout, words go to stderr. */
export async function reportEvaluation(
  { record, scores, predictions, analysis }: Pick<ModelEvaluation, 'record' | 'scores' | 'predictions' | 'analysis'>,
  { results, json, perClass, report }: ReportFlags,
): Promise<void> {
  const show = results === '-' ? note : print;
  if (results === '-') print(jsonText(predictions, true));
  else if (results !== undefined) await atomicWrite(results, JSON.stringify(predictions));
  const reports = report === undefined ? undefined : reportsOf(analysis(report === true ? undefined : report));
  if (json === true) {
    printJson({ ...record, scores, ...(reports && { reports }) });
    return;
  }
  for (const [kind, { summary, classes }] of Object.entries(record.results)) {
    show(kindInWords(kind), ...summary.trimEnd().split('\n'));
    if (perClass === true) show(...classTable(classes));
    const found = reports?.[kind];
    if (found !== undefined) show('', ...(await reportTable(found)));
  }
  for (const [name, value] of Object.entries(record.losses)) show(`${name.padEnd(18)} ${value.toFixed(4)}`);
  show(`${counted(record.images, 'image')}, ${(record.seconds / record.images).toFixed(2)} s each`);
}

/** Precision, recall and F1 of each class, by kind. */
function reportsOf(analysis: ReturnType<ModelEvaluation['analysis']>): Readonly<Record<string, ClassificationReport>> {
  return Object.fromEntries(Object.entries(analysis).map(([kind, { report }]) => [kind, report]));
}

async function reportTable(report: ClassificationReport): Promise<string[]> {
  const { classificationReportTable } = await import('@rcnn/coco-eval');
  return classificationReportTable(report).trimEnd().split('\n');
}

function classTable(
  classes: readonly { readonly name: string; readonly ap: number; readonly ap50: number }[],
): string[] {
  const width = Math.max(...classes.map(({ name }) => printable(name).length));
  const number = (value: number): string => (value < 0 ? '-' : value.toFixed(3)).padStart(7);
  return classes.map(({ name, ap, ap50 }) => `  ${printable(name).padEnd(width)} ${number(ap)} ${number(ap50)}`);
}
