import { printable } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { requireWritable } from '../options/output-file.ts';
import { endStatus, note, print, printJson, status } from '../output/print.ts';

interface Flags extends DatasetFlags {
  readonly weights: string;
  readonly arch?: string;
  readonly engine: string;
  readonly results?: string;
  readonly json?: boolean;
  readonly perClass?: boolean;
  readonly losses: boolean;
}

/** `mask-rcnn val DATA --weights FILE`: how good a model is, in COCO's twelve numbers. */
export const val: CommandDefinition = {
  name: 'val',
  summary: "measure a model on a dataset: COCO's numbers and the validation loss",
  examples: [
    ['mask-rcnn val photos --weights runs/train', 'the best checkpoint of a run on the validation split'],
    [
      'mask-rcnn val photos --weights runs/train --per-class --results found.json',
      'with a table of the classes, and a results list',
    ],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('<data>', 'folder or annotation file')
      .requiredOption('--weights <file>', 'checkpoint, run folder, published name or URL')
      .option('--arch <name>', 'architecture, when the file does not say')
      .option('--engine <name>', 'engine to compute on', 'auto')
      .option('--results <file>', 'write a COCO results list of the predictions')
      .option('--per-class', 'print AP and AP50 of every class')
      .option('--no-losses', 'leave the validation losses out')
      .option('--json', 'print JSON');
    addDatasetOptions(command).action((data: string, flags: Flags) => act(data, flags, program));
  },
};

async function act(data: string, flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  requireWritable('--results', flags.results);
  const { startEngine } = await import('../engines/use.ts');
  const { evaluateModel, kindInWords } = await import('@rcnn/train');
  const { validationOf } = await import('../models/validation-split.ts');
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  const { openModel } = await import('../models/open-model.ts');
  await startEngine(flags.engine, 'predict');
  const open = await openOptions(flags);
  const settings = datasetSettings(flags);
  const { model, dataset } = await openModel(
    { weights: flags.weights, arch: flags.arch, architectures },
    {
      path: data,
      ...(await validationOf(data, open)),
    },
  );
  const { record, predictions, scores, skipped } = await evaluateModel(model, dataset, {
    ...settings,
    losses: flags.losses,
    onProgress: (done: number, of: number) => status(`image ${done} of ${of}`),
  });
  endStatus();
  for (const { imageId, message } of skipped) note(`left out image ${imageId}: ${message}`);
  if (flags.results !== undefined) await atomicWrite(flags.results, JSON.stringify(predictions));
  if (flags.json === true) {
    printJson({ ...record, scores });
    return;
  }
  for (const [kind, { summary, classes }] of Object.entries(record.results)) {
    print(kindInWords(kind), ...summary.trimEnd().split('\n'));
    if (flags.perClass === true) print(...classTable(classes));
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
