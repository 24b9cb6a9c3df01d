import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, datasetSettings, openOptions } from '../options/dataset-options.ts';
import { fraction } from '../options/flags.ts';
import { requireFreeStdout, requireWritable } from '../options/output-file.ts';
import { note, printJson } from '../output/print.ts';
import type { PartSet } from '../shards/part-set.ts';
import { REPORT } from './val.ts';

interface Flags extends DatasetFlags {
  readonly results?: string;
  readonly data?: string;
  readonly perClass?: boolean;
  readonly report?: number | true;
  readonly json?: boolean;
}

/** `mask-rcnn merge PARTS`: the parts of a run as if one process had done it. */
export const merge: CommandDefinition = {
  name: 'merge',
  summary: 'put the parts of predict --shard or val --shard together, and prove that none is missing',
  examples: [
    ['mask-rcnn merge runs/parts --results found.json', 'the results list of the whole'],
    ['mask-rcnn merge runs/parts --data photos --per-class', "of val: COCO's numbers of the whole"],
  ],
  configure(command: Command): void {
    command
      .argument('<parts...>', 'the folder of the parts, or the parts')
      .option('--results <file>', 'write a COCO results list of the whole; - for stdout')
      .option('--data <path>', 'of val: the data that the parts were made with')
      .option('--per-class', 'of val: print AP and AP50 of every class')
      .option('--report [score]', `of val: ${REPORT}`, fraction)
      .option('--json', 'print JSON');
    addDatasetOptions(command).action(run);
  },
};

async function run(inputs: readonly string[], flags: Flags): Promise<void> {
  requireWritable('--results', flags.results, { stdout: true });
  requireFreeStdout('--results', flags.results, flags.json);
  const { PartSet } = await import('../shards/part-set.ts');
  const parts = await PartSet.open(inputs);
  if (parts.header.run['command'] === 'val') return mergeVal(parts, flags);
  const { data, perClass, report } = flags;
  const ofVal = Object.entries({ '--data': data, '--per-class': perClass, '--report': report });
  const given = ofVal.find(([, value]) => value !== undefined)?.[0];
  if (given !== undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: given,
      problem: 'the parts are of predict, which measures nothing',
      hint: 'Write the list with --results and give it to the command evaluate.',
    });
  }
  const { mergePredictions } = await import('../predict/merge.ts');
  const { ResultsFile } = await import('../predict/results-file.ts');
  const results = flags.results === undefined ? undefined : await ResultsFile.open(flags.results);
  try {
    const counts = await mergePredictions(parts, results, flags.json !== true && flags.results !== '-');
    if (flags.json === true) printJson(counts);
    if (counts.bad > 0) process.exitCode = 1;
    await results?.end();
  } finally {
    await results?.close();
  }
}

async function mergeVal(parts: PartSet, flags: Flags): Promise<void> {
  if (flags.data === undefined) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: '--data',
      problem: 'the parts are of val, and numbers need the truth',
      hint: 'Name the data that the parts were made with: mask-rcnn merge PARTS --data DATA.',
    });
  }
  const { openDataset } = await import('@rcnn/coco-data/node');
  const { classesOf, mergeEvaluation } = await import('../evaluate/merge.ts');
  const { reportEvaluation } = await import('../evaluate/print-record.ts');
  const { validationOf } = await import('../models/validation-split.ts');
  const open = await validationOf(flags.data, await openOptions(flags));
  const dataset = await openDataset(flags.data, { ...open, classes: classesOf(parts) });
  const evaluation = await mergeEvaluation(parts, dataset, datasetSettings(flags).maxSkipRate);
  if (evaluation.uncategorized !== undefined) note(`warning: ${evaluation.uncategorized}`);
  await reportEvaluation(evaluation, flags);
}
