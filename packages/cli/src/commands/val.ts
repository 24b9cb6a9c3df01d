import type { Dataset } from '@rcnn/coco-data';
import type { Detector } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { CompileChoice } from '@rcnn/onnx';
import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import type { ModelFlags } from '../models/load.ts';
import { compileOption } from '../options/compile-option.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { type EngineFlags, engineOption, threadsOption } from '../options/engine-options.ts';
import { fraction } from '../options/flags.ts';
import { addModelOptions } from '../options/model-options.ts';
import { requireFreeStdout, requireWritable } from '../options/output-file.ts';
import { endStatus, note, status } from '../output/print.ts';
import { addShardOptions, checkShardFlags, PARTS, type ShardFlags } from '../shards/flags.ts';

interface Flags extends ModelFlags, DatasetFlags, EngineFlags, ShardFlags {
  readonly compile: CompileChoice;
  readonly results?: string;
  readonly json?: boolean;
  readonly perClass?: boolean;
  readonly report?: number | true;
  readonly losses: boolean;
}

/** The help text of `--report`, here and in `merge`. */
export const REPORT =
  'print precision, recall and F1 of each class for detections from a score on (default: where the mean F1 is highest)';

/** `mask-rcnn val DATA [--weights FILE]`: how good a model is, in COCO's twelve numbers. */
export const val: CommandDefinition = {
  name: 'val',
  summary: "measure a model on a dataset: COCO's numbers and the validation loss",
  examples: [
    ['mask-rcnn val photos', 'the best checkpoint of the newest run on the validation split'],
    [
      'mask-rcnn val photos --weights runs/train --per-class --results found.json',
      'with a table of the classes, and a results list',
    ],
    ['mask-rcnn val photos --weights runs/train --shard auto/8', 'one of eight parts, for mask-rcnn merge'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('<data>', 'folder or annotation file')
      .option(
        '--weights <file>',
        'checkpoint, run folder, .onnx file, published name or URL (default: the newest run, else COCO)',
      );
    addModelOptions(command)
      .option('--score-threshold <score>', 'leave detections below it out (default: 0.05)', fraction)
      .addOption(engineOption())
      .addOption(threadsOption())
      .addOption(compileOption())
      .option(
        '--results <file>',
        'write a COCO results list of the predictions; - for stdout, then the numbers go to stderr',
      )
      .option('--per-class', 'print AP and AP50 of every class')
      .option('--report [score]', REPORT, fraction)
      .option('--no-losses', 'leave the validation losses out')
      .option('--json', 'print JSON');
    addShardOptions(command);
    addDatasetOptions(command).action((data: string, flags: Flags) => act(data, flags, program));
  },
};

async function act(data: string, flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  checkShardFlags(flags);
  if (flags.shard !== undefined) checkWhole(flags);
  requireWritable('--results', flags.results, { stdout: true });
  requireFreeStdout('--results', flags.results, flags.json);
  const { startEngine } = await import('../engines/use.ts');
  const { evaluateModel } = await import('@rcnn/train');
  const { validationOf } = await import('../models/validation-split.ts');
  const { openModel } = await import('../models/open-model.ts');
  const { reportEvaluation } = await import('../evaluate/print-record.ts');
  const engine = await startEngine(flags, 'predict');
  const open = await openOptions(flags);
  const { model, dataset } = await openModel(flags, { path: data, ...(await validationOf(data, open)) }, architectures);
  if (flags.shard !== undefined) return evaluatePart(model, dataset, engine.name, flags);
  const evaluation = await evaluateModel(model, dataset, {
    ...datasetSettings(flags),
    losses: flags.losses,
    onProgress: (done: number, of: number) => status(`image ${done} of ${of}`),
  });
  endStatus();
  if (evaluation.uncategorized !== undefined) note(`warning: ${evaluation.uncategorized}`);
  for (const { imageId, message } of evaluation.skipped) note(`left out image ${imageId}: ${message}`);
  await reportEvaluation(evaluation, flags);
}

/** What only all parts together can give. */
function checkWhole({ results, perClass, report, json }: Flags): void {
  const given = Object.entries({
    '--results': results,
    '--per-class': perClass,
    '--report': report,
    '--json': json,
  }).find(([, value]) => value !== undefined)?.[0];
  if (given === undefined) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: given,
    problem: 'a shard has only a part of the numbers',
    hint: "Give it to 'mask-rcnn merge' instead.",
  });
}

async function evaluatePart(model: Detector, dataset: Dataset, engine: string, flags: Flags): Promise<void> {
  const { shardOf } = await import('@rcnn/distributed');
  const { evaluateShard, truthDigest } = await import('../evaluate/shard.ts');
  const { VERSION, withNulls } = await import('../shards/part.ts');
  const { runShard } = await import('../shards/shard-run.ts');
  const { weightsDigest } = await import('../shards/weights-digest.ts');
  const shard = shardOf(flags.shard!, process.env);
  const { badSamples = 'fail', autoOrient, maxPixels } = datasetSettings(flags);
  const { minSize, maxSize, proposals, detections, numClasses, scoreThreshold } = flags;
  const run = {
    command: 'val',
    weights: await weightsDigest(model, flags.weights),
    data: truthDigest(dataset),
    classes: JSON.stringify(dataset.classes),
    engine,
    compile: flags.compile,
    ...withNulls({ minSize, maxSize, proposals, detections, numClasses, scoreThreshold }),
    finds: model.spec.finds.join(','),
    losses: flags.losses,
    badSamples,
    autoOrient: autoOrient ?? null,
    maxPixels: maxPixels ?? null,
  };
  const header = { version: VERSION, shard, listed: dataset.length, run } as const;
  await runShard({ folder: flags.parts ?? PARTS, header, retryBad: flags.retryBad === true }, () =>
    evaluateShard(model, dataset, shard, { badSamples, losses: flags.losses }),
  );
}
