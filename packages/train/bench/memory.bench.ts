// Resident memory of a training at its peak, beside the estimate that is made before it starts.
//   npm run bench -- memory [--only 2]
// Each configuration trains for a few steps on generated shapes, in a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeShapes } from '@rcnn/coco-data/node';
import { benchOptions } from '@rcnn/shared/bench';
import { type PartialConfig, train } from '../src/index.ts';

const CONFIGS: readonly (PartialConfig & { readonly size: readonly [number, number] })[] = [
  { size: [96, 128], arch: 'maskrcnn_small', batchSize: 2, optimizer: 'adamw' },
  { size: [256, 384], arch: 'maskrcnn_small', batchSize: 4, optimizer: 'adamw' },
  { size: [512, 768], arch: 'maskrcnn_small', batchSize: 4 },
  { size: [320, 480], arch: 'maskrcnn_resnet18_fpn', batchSize: 2 },
  { size: [320, 480], arch: 'maskrcnn_resnet50_fpn', batchSize: 1 },
  { size: [480, 640], arch: 'maskrcnn_resnet50_fpn', batchSize: 2 },
  { size: [320, 480], arch: 'maskrcnn_resnet50_fpn_v2', batchSize: 1 },
  { size: [800, 1333], arch: 'maskrcnn_resnet50_fpn', batchSize: 2 },
  { size: [800, 1333], arch: 'maskrcnn_resnet18_fpn', batchSize: 2 },
  { size: [480, 640], arch: 'fasterrcnn_resnet50_fpn', batchSize: 1, roisPerImage: 128 },
  { size: [128, 128], arch: 'yolact_small', batchSize: 4, optimizer: 'adamw' },
  { size: [384, 384], arch: 'yolact_small', batchSize: 4, optimizer: 'adamw' },
  { size: [550, 550], arch: 'yolact_resnet50_fpn', batchSize: 2 },
  { size: [550, 550], arch: 'yolact_plus_resnet50_fpn', batchSize: 1 },
  { size: [128, 128], arch: 'solov2_small', batchSize: 4, optimizer: 'adamw' },
  { size: [384, 384], arch: 'solov2_small', batchSize: 4, optimizer: 'adamw' },
  { size: [480, 640], arch: 'solov2_resnet50_fpn', batchSize: 2 },
  { size: [480, 640], arch: 'decoupled_solo_resnet50_fpn', batchSize: 1 },
  { size: [480, 640], arch: 'retinanet_resnet50_fpn', batchSize: 2 },
];

const [flag, which] = process.argv.slice(2);
if (flag === '--measure') await measure(CONFIGS[Number(which)]!);
else {
  const { only } = benchOptions({ only: { type: 'string' } });
  for (const i of only === undefined ? CONFIGS.keys() : [Number(only)]) inAProcess(i);
}

async function measure({ size, ...config }: (typeof CONFIGS)[number]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'memory-'));
  const data = join(folder, 'data');
  await writeShapes(data, { splits: { train: 2 * config.batchSize! }, size: [...size] });
  const sides = config.arch!.startsWith('yolact') ? { imageSize: size[0] } : { minSize: size[0], maxSize: size[1] };
  const options = { data, out: folder, model: sides, steps: 3, workers: 1 } as const;
  let estimate = '';
  await train(
    { ...config, ...options, engine: 'onnxruntime', memory: 'ignore' },
    {
      onEvent: (event) => {
        if (event.kind === 'note' && event.text.startsWith('Memory')) estimate = event.text;
      },
    },
  );
  const peak = (process.resourceUsage().maxRSS / 2 ** 10).toFixed(0);
  console.log(`${config.arch} ${size.join('x')}, batch ${config.batchSize}: ${peak} MiB measured. ${estimate}`);
  rmSync(folder, { recursive: true });
  process.exit(0);
}

function inAProcess(i: number): void {
  const script = fileURLToPath(import.meta.url);
  spawnSync(process.execPath, ['--import', 'tsx', script, '--measure', String(i)], { stdio: 'inherit' });
}
