import type { ClassificationReport, Detections, Evaluation, GroundTruth, IoUType } from '@rcnn/coco-eval';
import { fileError, makeFolderSync } from '@rcnn/files';
import { type Command, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { addDatasetOptions, type DatasetFlags, openOptions } from '../options/dataset-options.ts';
import { countOrNone, counts, fraction, positives } from '../options/flags.ts';
import { requireWritable, requireWritableFolder } from '../options/output-file.ts';
import { jsonText, note, print, printJson } from '../output/print.ts';

interface Options extends DatasetFlags {
  readonly gt: string;
  readonly dt: string;
  readonly iou?: IoUType;
  readonly numbers?: string;
  readonly json?: boolean;
  readonly arrays?: string;
  readonly perClass?: boolean;
  readonly plots?: string;
  readonly report?: number | true;
  readonly oksSigmas?: readonly number[];
  readonly skipUnknownCategories?: boolean;
  readonly maxDetections?: readonly number[];
  readonly workers?: number;
}

/** `mask-rcnn evaluate`: the numbers of pycocotools, from COCO files. */
export const evaluate: CommandDefinition = {
  name: 'evaluate',
  summary: 'evaluate COCO results against annotations, as pycocotools does',
  examples: [
    ['mask-rcnn evaluate --gt instances_val.json --dt found.json', "pycocotools' numbers"],
    ['mask-rcnn evaluate --gt photos --dt found.json --per-class --plots plots', 'of any dataset, with curves'],
  ],
  configure(command: Command): void {
    command
      .requiredOption('--gt <path>', 'annotations in COCO format, or any dataset')
      .requiredOption('--dt <file>', 'results in COCO format: a list of detections')
      .addOption(
        new Option('--iou <kind>', 'what is compared; default: everything that the results carry').choices([
          'bbox',
          'segm',
          'keypoints',
          'boundary',
        ]),
      )
      .option('--numbers <file>', 'write the numbers and the SHA-256 of the arrays as JSON; - for stdout, as --json')
      .option('--json', 'print the numbers as JSON in place of the table')
      .option('--arrays <file>', 'write precision, recall and scores as float64 safetensors')
      .option('--per-class', 'print a table of the categories')
      .option(
        '--report [score]',
        'print precision, recall and F1 of each category for detections from a score on (0.5), and the best scores',
        fraction,
      )
      .option('--plots <folder>', 'write precision-recall curves, error bars and confusion matrix as SVG')
      .option('--skip-unknown-categories', 'leave out detections of categories that the annotations do not have')
      .option(
        '--max-detections <list>',
        'detections of an image that count, such as 1,10,300; AP is at the most. Default 1,10,100; keypoints 20',
        counts,
      )
      .option(
        '--oks-sigmas <list>',
        'the spread of each of your key points, such as 0.026,0.025; default COCO’s 17',
        positives,
      )
      .option(
        '--workers <n>',
        'threads that match images; the numbers are the same. Default: several for very many masks, else 0',
        countOrNone,
      );
    addDatasetOptions(command).action(run);
  },
};

async function run(options: Options): Promise<void> {
  const { classificationReport, classificationReportTable, perClassTable } = await import('@rcnn/coco-eval');
  const { evaluateWithWorkers } = await import('@rcnn/coco-eval/node');
  const { readTruthAndResults } = await import('../evaluate/read-files.ts');
  requireWritable('--numbers', options.numbers, { stdout: true });
  requireWritable('--arrays', options.arrays);
  requireWritableFolder('--plots', options.plots);
  const { truth, detections } = await readTruthAndResults(options.gt, options.dt, await openOptions(options), {
    unknownCategory: options.skipUnknownCategories === true ? 'skip' : 'fail',
  });
  const json = options.json === true || options.numbers === '-';
  const kinds = options.iou === undefined ? kindsOf(detections) : [options.iou];
  const evaluations: Evaluation[] = [];
  const reports: [IoUType, ClassificationReport][] = [];
  for (const iouType of kinds) {
    const { maxDetections, oksSigmas, workers } = options;
    const own = iouType === 'keypoints' && oksSigmas !== undefined ? { oksSigmas } : {};
    const evaluation = await evaluateWithWorkers(truth, detections, {
      iouType,
      workers,
      ...(maxDetections && { maxDetections }),
      ...own,
    });
    evaluations.push(evaluation);
    for (const warning of evaluations.length === 1 ? evaluation.warnings : []) {
      note(`warning: ${warning}`);
    }
    const show = json ? (): void => undefined : print; // stdout is for one of them
    if (kinds.length > 1) show(iouType);
    show(...evaluation.summary.trimEnd().split('\n'));
    if (options.perClass === true) show('', ...perClassTable(evaluation).trimEnd().split('\n'));
    if (options.report !== undefined) {
      const report = classificationReport(truth, detections, {
        iouType,
        scoreThreshold: options.report === true ? undefined : options.report,
        ...own,
      });
      reports.push([iouType, report]);
      show('', ...classificationReportTable(report).trimEnd().split('\n'));
    }
  }
  if (json || options.numbers !== undefined) {
    const numbers = await numbersOf(evaluations, reports, options.perClass === true);
    if (json) printJson(numbers);
    if (options.numbers !== undefined && options.numbers !== '-') await writeNumbers(options.numbers, numbers);
  }
  if (options.arrays !== undefined) await writeArrays(options.arrays, evaluations);
  if (options.plots !== undefined) await writePlots(options.plots, evaluations, truth, detections);
}

/** Boxes, masks and keypoints, as far as the results have them; an empty list is evaluated as boxes. */
function kindsOf(detections: Detections): IoUType[] {
  const kinds: IoUType[] = [];
  if (detections.boxes.some((value) => !Number.isNaN(value)) && detections.keypoints === undefined) kinds.push('bbox');
  if (detections.segmentations !== undefined) kinds.push('segm');
  if (detections.keypoints !== undefined) kinds.push('keypoints');
  return kinds.length === 0 ? ['bbox'] : kinds;
}

async function numbersOf(
  evaluations: readonly Evaluation[],
  reports: readonly (readonly [IoUType, ClassificationReport])[],
  withClasses: boolean,
): Promise<object> {
  const { arrayDigests, perClass } = await import('@rcnn/coco-eval');
  const result: Record<string, unknown> = {};
  for (const evaluation of evaluations) {
    result[evaluation.iouType] = {
      stats: evaluation.stats,
      sha256: await arrayDigests(evaluation),
      ...(withClasses ? { perClass: perClass(evaluation) } : {}),
      ...Object.fromEntries(
        reports.flatMap(([kind, report]) => (kind === evaluation.iouType ? [['report', report]] : [])),
      ),
    };
  }
  return result;
}

async function writeNumbers(path: string, numbers: object): Promise<void> {
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  await atomicWrite(path, `${jsonText(numbers)}\n`);
}

/** With one kind of evaluation the arrays have their plain names, with several its name in front: `segm.recall`. */
async function writeArrays(path: string, evaluations: readonly Evaluation[]): Promise<void> {
  const { memoryEntry, safetensorsFile } = await import('@rcnn/checkpoint');
  const { littleEndian } = await import('@rcnn/coco-eval');
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  const entries = evaluations.flatMap(({ iouType, shape, precision, recall, scores }) => {
    const prefix = evaluations.length === 1 ? '' : `${iouType}.`;
    const [T, , K, A, M] = shape;
    return [
      memoryEntry(`${prefix}precision`, 'float64', shape, littleEndian(precision)),
      memoryEntry(`${prefix}recall`, 'float64', [T, K, A, M], littleEndian(recall)),
      memoryEntry(`${prefix}scores`, 'float64', shape, littleEndian(scores)),
    ];
  });
  const axes = 'precision, scores: threshold, recall, category, area, maxDetections; recall: without the second';
  await atomicWrite(path, safetensorsFile(entries, { axes }).chunks());
}

async function writePlots(
  directory: string,
  evaluations: readonly Evaluation[],
  truth: GroundTruth,
  detections: Detections,
): Promise<void> {
  const { confusionMatrix, confusionPlot, errorBreakdown, errorPlot, precisionRecallPlot } = await import(
    '@rcnn/coco-eval'
  );
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  const { join } = await import('node:path');
  try {
    makeFolderSync(directory);
  } catch (cause) {
    throw fileError(directory, 'the folder cannot be made', cause);
  }
  for (const evaluation of evaluations) {
    const { iouType } = evaluation;
    const write = async (name: string, svg: string): Promise<void> => {
      const path = join(directory, `${iouType}-${name}.svg`);
      await atomicWrite(path, svg);
      note(`wrote ${path}`);
    };
    await write('precision-recall', precisionRecallPlot(evaluation));
    if (iouType === 'keypoints') continue;
    await write('errors', errorPlot(errorBreakdown(truth, detections, { iouType })));
    await write('confusion', confusionPlot(confusionMatrix(truth, detections, { iouType })));
  }
}
