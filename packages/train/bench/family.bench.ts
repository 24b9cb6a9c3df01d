// The methods beside each other: each small architecture trains for the same steps on the same generated shapes, and is
// measured on the same pictures. Prints a Markdown table and keeps it as family.md in the folder; called again, it goes on
// with what is not there yet.
//   npm run bench -- family [--steps 600] [--only yolact_small,solov2_small] [--engine onnxruntime] [--out runs/family]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Dataset, datasetAsCoco, numberImages } from '@rcnn/coco-data';
import { openDataset, writeShapes } from '@rcnn/coco-data/node';
import { type CocoDataset, evaluate, type IoUType } from '@rcnn/coco-eval';
import { countParameters, useEngine } from '@rcnn/core';
import { architectures } from '@rcnn/models';
import { loadDetector } from '@rcnn/models/node';
import { evaluateModel, type ModelEvaluation, resume, train } from '../src/index.ts';

/** Pictures of the default difficulty, as the program's own `shapes` draws them. */
const PICTURES = { train: 500, val: 100 };

interface Row {
  readonly arch: string;
  readonly steps: number;
  readonly parameters: number;
  readonly millisecondsPerPicture: number;
  readonly peakMiB: number;
  /** Of masks; absent where the method finds none. */
  readonly segm?: Numbers | undefined;
  readonly bbox: Numbers;
}

interface Numbers {
  readonly ap: number;
  readonly ap50: number;
  /** AP at an IoU of 0.9. */
  readonly ap90: number;
  /** Boundary AP, of masks. */
  readonly boundary?: number | undefined;
}

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '600' },
    only: { type: 'string' },
    engine: { type: 'string', default: 'onnxruntime' },
    out: { type: 'string', default: 'runs/family' },
  },
});
const steps = Number(values.steps);
const small = architectures
  .map(({ name }) => name)
  .filter((name) => name.endsWith('_small') && !name.startsWith('keypoint'));
const wanted = values.only?.split(',') ?? small;
const data = join(values.out, 'shapes');
mkdirSync(values.out, { recursive: true });
if (!existsSync(join(data, 'annotations'))) await writeShapes(data, { splits: PICTURES });
const engine = values.engine as NonNullable<Parameters<typeof useEngine>[0]>;
const rows: Row[] = [];
for (const arch of wanted) {
  const kept = join(values.out, `${arch}.json`);
  if (!existsSync(kept)) writeFileSync(kept, JSON.stringify(await measured(arch), undefined, 2));
  rows.push(JSON.parse(readFileSync(kept, 'utf8')) as Row);
  console.log(`${arch}: measured`);
}
const table = asMarkdown(rows);
writeFileSync(join(values.out, 'family.md'), table);
console.log(table);

/** Trains, or goes on with what an earlier call began, and measures the last weights. */
async function measured(arch: string): Promise<Row> {
  const out = join(values.out, arch);
  const latest = join(out, 'run');
  const rates = { optimizer: 'adamw', learningRate: 1e-3, schedule: 'cosine', batchSize: 4 } as const;
  const result = existsSync(join(latest, 'config.yaml'))
    ? await resume(latest)
    : await train({ data, out, name: 'run', arch, steps, engine, memory: 'ignore', ...rates });
  const peakMiB = process.resourceUsage().maxRSS / 2 ** 10;
  await useEngine(engine);
  const { model } = await loadDetector(result.folder.last);
  const dataset = await openDataset(data, { split: 'val' });
  const evaluation = await evaluateModel(model, dataset, { losses: false });
  const parameters = countParameters(model);
  const finds = model.spec.finds.includes('masks');
  model.dispose();
  return {
    arch,
    steps,
    parameters,
    peakMiB,
    millisecondsPerPicture: (1000 * evaluation.record.seconds) / evaluation.record.images,
    bbox: numbersOf('bbox', evaluation, dataset),
    ...(finds && { segm: numbersOf('segm', evaluation, dataset) }),
  };
}

function numbersOf(iouType: 'bbox' | 'segm', { predictions, scores }: ModelEvaluation, dataset: Dataset): Numbers {
  const truth = datasetAsCoco(dataset) as unknown as CocoDataset;
  const numbers = numberImages(dataset.images);
  const found = predictions.map((result) => ({
    ...result,
    image_id: numbers.get(result.image_id)!,
    score: iouType === 'segm' ? (result.mask_score ?? result.score) : result.score,
  }));
  const ap = (kind: IoUType, iouThresholds?: readonly number[]): number =>
    evaluate(truth, found, { iouType: kind, ...(iouThresholds && { iouThresholds }) }).stats[0]!;
  return {
    ap: scores[`${iouType}/AP`]!,
    ap50: scores[`${iouType}/AP50`]!,
    ap90: ap(iouType, [0.9]),
    ...(iouType === 'segm' && { boundary: ap('boundary') }),
  };
}

function asMarkdown(measuredRows: readonly Row[]): string {
  const percent = (value: number | undefined): string => (value === undefined ? '' : (100 * value).toFixed(1));
  const head = ['Method', 'mask AP', 'AP50', 'AP at 0.9', 'boundary AP', 'box AP', 'box AP50', 'ms a picture', 'parameters', 'peak MiB']; // biome-ignore format: one line
  const lines = measuredRows.map(({ arch, segm, bbox, ...row }) => [
    arch,
    percent(segm?.ap),
    percent(segm?.ap50),
    percent(segm?.ap90),
    percent(segm?.boundary),
    percent(bbox.ap),
    percent(bbox.ap50),
    row.millisecondsPerPicture.toFixed(0),
    `${(row.parameters / 1e6).toFixed(2)} M`,
    row.peakMiB.toFixed(0),
  ]);
  const cells = [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`);
  const about = `${PICTURES.train} shapes to learn from, ${PICTURES.val} to measure on, ${steps} steps of 4; ${cpus()[0]?.model ?? 'a processor'}, load ${loadavg()[0]!.toFixed(1)}, ${values.engine}. Peaks are of this process so far.`; // biome-ignore format: one line
  return `${cells.join('\n')}\n\n${about}\n`;
}
