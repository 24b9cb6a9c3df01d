import { atomicWrite } from '@rcnn/checkpoint/node';
import { printable } from '@rcnn/core/errors';
import { kindInWords, type ModelEvaluation } from '@rcnn/train';
import { print, printJson } from '../output/print.ts';

/** How numbers of a model on data are told. */
export interface ReportFlags {
  readonly results?: string;
  readonly json?: boolean;
  readonly perClass?: boolean;
}

/** Prints an evaluation, and writes its results list where one is wanted. */
export async function reportEvaluation(
  { record, scores, predictions }: Pick<ModelEvaluation, 'record' | 'scores' | 'predictions'>,
  { results, json, perClass }: ReportFlags,
): Promise<void> {
  if (results !== undefined) await atomicWrite(results, JSON.stringify(predictions));
  if (json === true) {
    printJson({ ...record, scores });
    return;
  }
  for (const [kind, { summary, classes }] of Object.entries(record.results)) {
    print(kindInWords(kind), ...summary.trimEnd().split('\n'));
    if (perClass === true) print(...classTable(classes));
  }
  for (const [name, value] of Object.entries(record.losses)) print(`${name.padEnd(18)} ${value.toFixed(4)}`);
  print(`${record.images} images, ${(record.seconds / record.images).toFixed(2)} s each`);
}

function classTable(
  classes: readonly { readonly name: string; readonly ap: number; readonly ap50: number }[],
): string[] {
  const width = Math.max(...classes.map(({ name }) => printable(name).length));
  const number = (value: number): string => (value < 0 ? '-' : value.toFixed(3)).padStart(7);
  return classes.map(({ name, ap, ap50 }) => `  ${printable(name).padEnd(width)} ${number(ap)} ${number(ap50)}`);
}
