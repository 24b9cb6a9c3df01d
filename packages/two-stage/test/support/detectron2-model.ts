import { convertForeign, loadStateDict, memorySource } from '@rcnn/checkpoint';
import { type ImageSize, withoutInitialising } from '@rcnn/core';
import { AffinePlacement } from '@rcnn/detector';
import {
  above,
  type Fixture,
  fixtureImage,
  relativeToMaximum,
  sampleChannelsFirst,
  shareOfBoxesFound,
} from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { architectureOf } from '../../src/from-checkpoint.ts';
import type { MaskRCNN } from '../../src/index.ts';
import { batchOf } from './detectron2.ts';

/** A model with the weights of a file in detectron2's names, which are found to be those of `arch`. */
export async function readModel(
  fixture: Fixture,
  make: (fixture: Fixture) => MaskRCNN,
  arch: string,
): Promise<MaskRCNN> {
  const { tensors, profile } = (await convertForeign(fixture.weights()))!;
  expect(profile.options).toMatchObject({ normEpsilon: 1e-5, maskPaste: 'detectron2' });
  const weights = memorySource(tensors, 'converted');
  expect(architectureOf(weights)).toBe(arch);
  const model = withoutInitialising(() => make(fixture)); // the file's weights come next
  await loadStateDict(model, weights);
  return model;
}

/**
 * Holds a model against what detectron2 found in the first of the two images, or in both: maps and scores 1e-4 relative,
 * detections 0.02 pixels by position, areas of masks 3 pixels.
 */
export async function expectAnswers(
  model: MaskRCNN,
  fixture: Fixture,
  { sizes, order }: { readonly sizes: readonly ImageSize[]; readonly order: 'rgb' | 'bgr' },
): Promise<void> {
  const pictures = await Promise.all((['a', 'b'] as const).slice(0, sizes.length).map((name) => fixtureImage(name)));
  const images = tf.tidy(() => {
    const batch = batchOf(pictures, 32);
    return order === 'rgb' ? batch : tf.reverse(batch, -1);
  });
  const [count, channels, height, width] = fixture.integers('batch.shape');
  expect(images.shape).toEqual([count, height, width, channels]);
  const features = model.backbone.forward(images);
  const errors: Record<string, number> = {};
  for (const [level, map] of features.entries()) {
    const name = `features.p${level + 2}`;
    const step = Math.max(1, Math.floor(map.shape[2] / 8));
    const sample = sampleChannelsFirst(await map.data(), map.shape, { skip: 16, step });
    errors[name] = relativeToMaximum(sample, fixture.floats(`${name}.sample`), fixture.floats(`${name}.stats`)[2]!);
  }
  expect(Object.keys(errors)).toHaveLength(5);
  expect(above(errors, 1e-4)).toEqual({});

  const outputs = model.rpn.forward(features);
  const proposals = await model.rpn.propose(outputs, sizes, [height!, width!], 'test');
  const rois = proposals.map((ofImage) => ({ ...ofImage, labels: new Int32Array(ofImage.boxes.length / 4) }));
  for (const [i, { boxes }] of proposals.entries()) {
    expect(shareOfBoxesFound(boxes, fixture.floats(`proposals.${i}.boxes`), 0.02)).toBe(1);
  }
  const found = await model.roiHeads.detect(features, rois, sizes);
  for (const [i, objects] of found.entries()) {
    const differences = {
      boxes: relativeToMaximum(objects.boxes, fixture.floats(`detections.${i}.boxes`), 1) / 0.02,
      scores: relativeToMaximum(objects.scores, fixture.floats(`detections.${i}.scores`), 1) / 1e-4,
    };
    expect(above(differences, 1)).toEqual({});
    expect([...objects.labels]).toEqual([...fixture.integers(`detections.${i}.classes`)].map((label) => label + 1));
    const placement = new AffinePlacement({ originalSize: sizes[i]!, resizedSize: sizes[i]! });
    const areas = placement.toImage(objects).map(({ mask }) => mask!.bitmap().reduce((sum, bit) => sum + bit, 0));
    const off = [...fixture.integers(`detections.${i}.pasted_areas`)].map((area, k) => Math.abs(area - areas[k]!));
    expect(off.filter((pixels) => pixels > 3)).toEqual([]);
  }
  tf.dispose([images, [...features], outputs.logits, outputs.deltas] as tf.TensorContainer);
}
