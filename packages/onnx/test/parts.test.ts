import { Random, useEngine } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import type { BoxBranch, MaskBranch, RoIHeads } from '@rcnn/roi-heads';
import { openOnnxModel } from '@rcnn/tfjs-backend-onnxruntime/model';
import type { FasterRCNN } from '@rcnn/two-stage';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportOnnxParts, OnnxDetector, readDescription } from '../src/index.ts';
import { models } from './support/models.ts';

let model: FasterRCNN;
beforeAll(async () => {
  await useEngine('onnxruntime');
  model = models['Mask R-CNN']!();
});
afterAll(() => model.dispose());

const CLOSE = { absolute: 1e-4, relative: 1e-4 };

/** A tensor with channels first, as ONNX has it. */
function channelsFirst(x: tf.Tensor): { data: Float32Array; dims: number[] } {
  const moved = tf.tidy(() => tf.transpose(x, [0, 3, 1, 2]));
  const result = { data: moved.dataSync<'float32'>(), dims: moved.shape };
  moved.dispose();
  return result;
}

test('the image part gives pyramid, objectness and deltas of a batch', async () => {
  const { image } = await exportOnnxParts(model);
  const session = openOnnxModel(image);
  const random = new Random(1);
  const batch = tf.tensor4d(
    Float32Array.from({ length: 2 * 64 * 96 * 3 }, () => random.normal()),
    [2, 64, 96, 3],
  );
  const maps = model.backbone.forward(batch);
  const outputs = model.rpn.forward(maps);
  const names = [2, 3, 4, 5, 6].flatMap((p) => [`p${p}`, `p${p}_logits`, `p${p}_deltas`]);
  const found = await session.run({ image: channelsFirst(batch) }, names);
  maps.forEach((map, level) => {
    const expected = { '': map, _logits: outputs.logits[level]!, _deltas: outputs.deltas[level]! };
    for (const [suffix, tensor] of Object.entries(expected)) {
      const { data, dims } = channelsFirst(tensor);
      const own = found[`p${level + 2}${suffix}`]!;
      expect([...own.dims]).toEqual(dims);
      expectClose(own.data as Float32Array, data, CLOSE);
    }
  });
  tf.dispose([batch, [...maps], [...outputs.logits], [...outputs.deltas]]);
  session.dispose();
});

test.each([0, 1, 7])('the heads say the same of %i regions', async (count) => {
  const parts = await exportOnnxParts(model);
  const { box, mask } = (model.roiHeads as RoIHeads).branches as unknown as { box: BoxBranch; mask: MaskBranch };
  const random = new Random(2);
  const regionsOf = (side: number): tf.Tensor4D =>
    tf.tensor4d(
      Float32Array.from({ length: count * side * side * 16 }, () => random.normal()),
      [count, side, side, 16],
    );
  const boxSession = openOnnxModel(parts.box);
  const small = regionsOf(7);
  const { logits, deltas } = box.parts.predictor.forward(box.parts.head.forward(small));
  const scores = tf.softmax(logits);
  const said = await boxSession.run({ regions: channelsFirst(small) }, ['scores', 'deltas']);
  expectClose(said['scores']!.data as Float32Array, await scores.data<'float32'>(), CLOSE);
  expectClose(said['deltas']!.data as Float32Array, await deltas.data<'float32'>(), CLOSE);

  const maskSession = openOnnxModel(parts.mask!);
  const large = regionsOf(14);
  const labels = Int32Array.from({ length: count }, (_, i) => 1 + (i % 4));
  const head = mask.parts.head.forward(large);
  const maskLogits = mask.parts.predictor.forward(head, labels);
  const probabilities = tf.sigmoid(maskLogits);
  const feeds = {
    regions: channelsFirst(large),
    labels: { data: BigInt64Array.from(labels, BigInt), dims: [count] },
  };
  const { masks } = await maskSession.run(feeds, ['masks']);
  expect([...masks!.dims]).toEqual([count, 1, 28, 28]);
  expectClose(masks!.data as Float32Array, await probabilities.data<'float32'>(), CLOSE);
  tf.dispose([small, logits, deltas, scores, large, head, maskLogits, probabilities]);
  boxSession.dispose();
  maskSession.dispose();
});

test('a part says which it is, and is no detector', async () => {
  const { image, box, mask } = await exportOnnxParts(model);
  const parts = { image, box, mask: mask! };
  for (const [part, bytes] of Object.entries(parts)) expect(readDescription(bytes, 'x.onnx')).toMatchObject({ part });
  await expect(OnnxDetector.open(box, openOnnxModel, { name: 'x.onnx' })).rejects.toMatchObject({
    code: 'CHECKPOINT_MISMATCH',
    where: 'x.onnx',
  });
});

test('a detector of boxes has two parts', async () => {
  const boxes = models['Faster R-CNN']!();
  expect(Object.keys(await exportOnnxParts(boxes))).toEqual(['image', 'box']);
  boxes.dispose();
});
