import '@tensorflow/tfjs-backend-cpu';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawShapes } from '@rcnn/coco-data';
import { writeShapes } from '@rcnn/coco-data/node';
import type { Detection, Detector, PixelImage } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import type { Architecture } from '@rcnn/models';
import { loadDetector } from '@rcnn/models/node';
import type { TrainResult } from '@rcnn/train';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, test } from 'vitest';

// docs/add-an-engine.md, run: its blocks become files beside those of docs/add-a-detector.md, whose detector it trains.
/** Inside the package, so that imports of the page are found. */
const code = mkdtempSync(fileURLToPath(new URL('add-an-engine-', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'engine-'));
for (const page of ['add-a-detector', 'add-an-engine']) {
  const text = readFileSync(new URL(`../../../docs/${page}.md`, import.meta.url), 'utf8');
  for (const [, name, block] of text.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)) {
    writeFileSync(join(code, name!), block!);
  }
}
const load = <T>(name: string): Promise<T> => import(/* @vite-ignore */ join(code, name)) as Promise<T>;
afterAll(() => {
  rmSync(code, { recursive: true });
  rmSync(folder, { recursive: true });
});

test('an engine of one’s own trains and predicts what the one that it is made of does', async () => {
  const data = join(folder, 'data');
  await writeShapes(data, { splits: { train: 8, val: 2 }, size: [64, 64] });
  const { trainCounted } = await load<{ trainCounted(data: string, out: string): Promise<TrainResult> }>(
    'train-counted.ts',
  );
  const { runs } = await load<{ runs: Map<string, number> }>('counting-engine.ts');
  const { folder: run, reason } = await trainCounted(data, join(folder, 'runs'));
  expect(reason).toBe('finished');
  expect(runs.get('Conv2DBackpropFilter')).toBeGreaterThan(0);

  const { grid } = await load<{ grid: Architecture }>('grid.ts');
  const { findOn } = await load<{ findOn(model: Detector, image: PixelImage): Promise<Detection[]> }>(
    'predict-counted.ts',
  );
  const { model } = await loadDetector(run.last, { architectures: [grid] });
  const { image } = drawShapes(1, 0, { size: [64, 64] });
  runs.clear();
  const found = await findOn(model, image);
  expect([...runs.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10);
  await expectNoLeak(() => model.detect([image]));
  await tf.setBackend('cpu');
  const [asBefore] = await model.detect([image]);
  expect(found.map(({ box, score }) => [...box, score])).toEqual(asBefore!.map(({ box, score }) => [...box, score]));
  model.dispose();
});
