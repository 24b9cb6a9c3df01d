import { loadStateDict } from '@rcnn/checkpoint';
import { type KeypointDetection, withoutInitialising } from '@rcnn/core';
import { above, Fixture, fixtureImage, useFastEngine } from '@rcnn/fixtures';
import { beforeAll, expect, test } from 'vitest';
import { keypointRcnnResnetFpn, type RecipeOptions } from '../src/index.ts';

beforeAll(useFastEngine);

const SMALL: RecipeOptions = {
  body: 'resnet18',
  fpnChannels: 64,
  boxFeatures: 128,
  keypointChannels: Array.from({ length: 8 }, () => 64),
  minSize: 192,
  maxSize: 256,
};

// torchvision 0.29.1's answers for a small model and for the one that it publishes. Tolerances: detections by position,
// boxes and key points 0.02 pixels, scores 1e-4 of the largest. A point is compared where its pixel is higher than every
// other by more than 1e-4.
test.each([
  ['keypointrcnn_resnet18_small', SMALL],
  ['keypointrcnn_resnet50_fpn', { minSize: 256, maxSize: 352 }],
] as const)('%s: boxes, key points and scores are torchvision’s', async (name, options) => {
  const fixture = await Fixture.read(new URL(`fixtures/eval_${name}.safetensors`, import.meta.url));
  const model = withoutInitialising(() =>
    keypointRcnnResnetFpn({ ...options, rpnPostNmsTopNTest: 200, boxDetectionsPerImg: 12 }),
  );
  await loadStateDict(model, fixture.weights());
  const images = await model.detect([await fixtureImage('a'), await fixtureImage('b')]);
  let compared = 0;
  for (const [i, found] of images.entries()) {
    expect(found).toHaveLength(12);
    compared += comparePoints(found, fixture, i);
    for (const [k, { box, label, score }] of found.entries()) {
      const at = `image ${i}, detection ${k}`;
      const sides = fixture.floats(`detections.${i}.boxes`).subarray(4 * k, 4 * k + 4);
      expect([at, label]).toEqual([at, fixture.integers(`detections.${i}.labels`)[k]]);
      expect(above({ [at]: Math.abs(score - fixture.floats(`detections.${i}.scores`)[k]!) }, 1e-4)).toEqual({});
      for (const [c, side] of box.entries()) expect(above({ [at]: Math.abs(side - sides[c]!) }, 0.02)).toEqual({});
    }
  }
  expect(compared).toBeGreaterThan(350); // of 408
  model.dispose();
});

function comparePoints(found: readonly KeypointDetection[], fixture: Fixture, image: number): number {
  const [points, scores, margin] = ['keypoints', 'keypoint_scores', 'keypoint_margin'].map((name) =>
    fixture.floats(`detections.${image}.${name}`),
  ) as [Float32Array, Float32Array, Float32Array];
  const largest = scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0);
  let compared = 0;
  for (const [p, [x, y, score]] of found.flatMap(({ keypoints }) => keypoints).entries()) {
    const at = `image ${image}, key point ${p}`;
    expect(above({ [at]: Math.abs(score - scores[p]!) / largest }, 1e-4)).toEqual({});
    if (!(margin[p]! > 1e-4)) continue;
    compared++;
    expect(above({ [at]: Math.abs(x - points[3 * p]!) }, 0.02)).toEqual({});
    expect(above({ [at]: Math.abs(y - points[3 * p + 1]!) }, 0.02)).toEqual({});
  }
  return compared;
}
