import { convertForeign, memoryEntry, memorySource } from '@rcnn/checkpoint';
import type { PixelImage } from '@rcnn/core';
import { above, Fixture, hashedUnits, relativeToMaximum, useFastEngine } from '@rcnn/fixtures';
import { beforeAll, expect, test } from 'vitest';
import { detectorFromCheckpoint } from '../src/index.ts';

// The answers are of the same network written from what detectron2 and mmdetection publish, without a block of ours
// (tools/reference/foreign_detectors.py): their names at the shapes of their files for COCO, BGR pixels of 0 to 255,
// stride in the 1x1, the background last, no box and no mask of the background.

beforeAll(useFastEngine);

const cases = [
  { file: 'detectron2', program: 'detectron2', config: '', counters: false, assumed: expect.stringContaining('caffe') },
  {
    file: 'mmdetection',
    program: 'mmdetection',
    config: "backbone=dict(style='caffe')",
    counters: true,
    assumed: undefined,
  },
  {
    file: 'mmdetection-pytorch',
    program: 'mmdetection',
    config: 'style = "pytorch"',
    counters: true,
    assumed: undefined,
  },
] as const;

test.each(cases)('a converted file of $file gives the detections of its own network', async (kind) => {
  const fixture = await Fixture.read(new URL(`fixtures/foreign_${kind.file}.safetensors`, import.meta.url));
  const weights = [...fixture.weights().tensors.values()];
  // Files of mmdetection carry the counters of batch norm.
  const norms = kind.counters ? weights.filter(({ name }) => name.endsWith('.running_var')) : [];
  const counters = norms.map(({ name }) =>
    memoryEntry(name.replace(/running_var$/, 'num_batches_tracked'), 'int64', [], BigInt64Array.of(7n)),
  );
  const file = memorySource([...weights, ...counters], 'theirs.pth');
  const converted = (await convertForeign({ ...file, metadata: new Map([['meta.config', kind.config]]) }))!;
  expect(converted).toMatchObject({ program: kind.program, assumed: kind.assumed });
  expect([converted.tensors.length, converted.dropped.length]).toEqual([weights.length, counters.length]);

  const { model, report, arch } = await detectorFromCheckpoint(
    { weights: memorySource(converted.tensors), profile: converted.profile },
    { minSize: 64, maxSize: 96, rpnPostNmsTopNTest: 100, boxDetectionsPerImg: 20 },
  );
  expect({ arch, loaded: report.loaded.length }).toEqual({ arch: 'maskrcnn_resnet50_fpn', loaded: weights.length });
  const found = await model.detect([picture(0, 64, 96), picture(1, 80, 64)]);
  model.dispose();

  for (const [i, detections] of found.entries()) {
    const labels = [...fixture.integers(`detections.${i}.labels`)].map((label) => label + 1);
    expect(labels.length).toBeGreaterThan(3);
    expect(new Set(labels).size).toBeGreaterThan(1);
    expect(detections.map(({ label }) => label)).toEqual(labels);
    const boxes = detections.flatMap(({ box }) => [...box]);
    const scores = detections.map(({ score }) => score);
    const errors = {
      boxes: relativeToMaximum(boxes, fixture.floats(`detections.${i}.boxes`), 1), // pixels
      scores: relativeToMaximum(scores, fixture.floats(`detections.${i}.scores`), 1),
    };
    expect(above(errors, 1e-3)).toEqual({});
    const { bitmaps } = fixture.bitmaps(`detections.${i}.masks`);
    const wrong = detections.map(({ mask }, k) => differing(mask!.bitmap(), bitmaps[k]!));
    expect(wrong.filter((count) => count > 0)).toEqual([]);
    expect(bitmaps.filter((bitmap) => bitmap.includes(1) && bitmap.includes(0)).length).toBeGreaterThan(3);
  }
});

/** Patches of 4 x 4 pixels, each of a color of its own. */
function picture(i: number, height: number, width: number): PixelImage {
  const columns = width / 4;
  const patches = hashedUnits(`picture/${i}`, (height / 4) * columns * 3);
  const data = Uint8Array.from({ length: height * width * 3 }, (_, at) => {
    const [y, x, c] = [Math.floor(at / 3 / width), Math.floor(at / 3) % width, at % 3];
    return Math.floor(patches[((y >> 2) * columns + (x >> 2)) * 3 + c]! * 256);
  });
  return { data, height, width, channels: 3 };
}

function differing(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) count++;
  return count;
}
