import '@tensorflow/tfjs-backend-cpu';
import { loadStateDict } from '@rcnn/checkpoint';
import {
  type EngineName,
  Parameter,
  type Pyramid,
  trainableParameters,
  useEngine,
  valueAndGradients,
} from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { above, Fixture, relativeToMaximum, sampleChannelsFirst } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { hardest, PositionSensitiveHeads, regionLosses } from '../src/index.ts';

const fixture = await Fixture.read(new URL('fixtures/rfcn_head.safetensors', import.meta.url));
const OURS: Readonly<Record<string, string>> = { conv_new: 'conv_new', cls: 'rfcn_cls', bbox: 'rfcn_bbox' };
const ourName = (name: string): string => name.replace(/^rfcn\.(\w+)/, (_, part: string) => OURS[part]!);

// torchvision 0.29.1's ps_roi_pool in a head put together after the paper. The file's tolerance: 1e-4 of the largest
// value, gradients 1e-2.
describe.each(['onnxruntime', 'cpu'] as const satisfies EngineName[])('R-FCN’s head on %s', (engine) => {
  beforeAll(() => useEngine(engine));

  test('votes, losses, the hardest regions, and gradients of maps and parameters', async () => {
    const heads = await build();
    const map = new Parameter(mapOf());
    const boxes = boxesOf();
    const order = imageByImage();
    const rows = (name: string, width: number): Float32Array => {
      const values = fixture.floats(name);
      return Float32Array.from(order.flatMap((r) => [...values.subarray(r * width, (r + 1) * width)]));
    };
    const labels = Int32Array.from(order, (r) => fixture.integers('labels')[r]!);
    const truth = { labels, deltas: rows('box_targets', 4) };
    const parameters = new Map([...trainableParameters(heads), ['map', map] as const]);
    const { loss, gradients, extra } = await valueAndGradients(async () => {
      const predictions = heads.forward([map.value as tf.Tensor4D], boxes, 'train');
      const { ofClass, ofBox } = regionLosses(predictions, truth);
      const each = tf.add(ofClass, ofBox);
      const kept = hardest((await each.data()) as Float32Array, 4);
      return {
        loss: tf.mean(tf.gather(each, tf.tensor1d(kept, 'int32'))) as tf.Scalar,
        extra: { ...predictions, each, kept },
      };
    }, parameters);
    const deltas = rows('deltas', 8).filter((_, i) => i % 8 >= 4); // the object's half
    const errors = {
      logits: relativeToMaximum(extra.logits.dataSync(), rows('logits', 5)),
      deltas: relativeToMaximum(extra.deltas.dataSync(), deltas),
      each: relativeToMaximum(extra.each.dataSync(), rows('loss_per_roi', 1)),
      loss: relativeToMaximum(loss.dataSync(), fixture.floats('loss')),
    };
    expect(above(errors, 1e-4)).toEqual({});
    const kept = new Set(fixture.integers('kept_by_ohem'));
    expect([...extra.kept]).toEqual([...order.keys()].filter((at) => kept.has(order[at]!)));

    const wrong: Record<string, number> = {};
    for (const [name, gradient] of gradients) {
      const values = (await gradient.data()) as Float32Array;
      const theirs =
        name === 'map' ? 'grad_input' : fixture.names.find((each) => ourName(each.replace('grad.full.', '')) === name)!;
      const shape = gradient.shape.length === 4 ? (gradient.shape as [number, number, number, number]) : undefined;
      wrong[name] = relativeToMaximum(
        shape === undefined ? values : inTheirOrder(values, shape, name),
        fixture.floats(theirs),
      );
    }
    expect(above(wrong, 1e-2)).toEqual({});
    tf.dispose([loss, extra.logits, extra.deltas, extra.each, ...gradients.values()]);
    map.dispose();
    heads.dispose();
  });

  test('detects and learns without leaving a tensor; nothing proposed is a normal value', async () => {
    const heads = await build();
    const map: Pyramid = [mapOf()];
    const boxes = boxesOf();
    const sizes = [[192, 256], [192, 256]] as const; // biome-ignore format: two images
    const rois = boxes.map((ofImage) => {
      const count = ofImage.length / 4;
      return { boxes: ofImage, scores: new Float32Array(count), labels: new Int32Array(count) };
    });
    const truth = { boxes: Float32Array.of(10, 10, 90, 120), labels: Int32Array.of(2) };
    const nothing = { boxes: new Float32Array(), labels: new Int32Array() };
    await expectNoLeak(() => heads.detect(map, rois, sizes));
    await expectNoLeak(async () => tf.dispose({ ...(await heads.losses(map, boxes, [truth, nothing])) }));
    const losses = await heads.losses(map, [new Float32Array(), new Float32Array()], [nothing, nothing]);
    expect(Object.values(losses).map((loss) => loss.dataSync()[0])).toEqual([0, 0]);
    const none = { boxes: new Float32Array(), scores: new Float32Array(), labels: new Int32Array() };
    const found = await heads.detect(map, [none, none], sizes);
    expect(found.map(({ labels }) => labels.length)).toEqual([0, 0]);
    tf.dispose([[...map], { ...losses }]);
    heads.dispose();
  });
});

test('of equal losses the first is the hardest', () => {
  expect([...hardest(Float32Array.of(1, 3, 2, 3, 2), 3)]).toEqual([1, 2, 3]);
});

async function build(): Promise<PositionSensitiveHeads> {
  const heads = new PositionSensitiveHeads({
    inChannels: 12,
    channels: 16,
    numClasses: 5,
    bins: 3,
    backgroundBoxes: true,
  });
  await loadStateDict(heads, fixture.weights(ourName));
  return heads;
}

/** The rows of the file's regions, those of the first image first. */
function imageByImage(): number[] {
  const rois = fixture.floats('rois');
  const rows = Array.from({ length: rois.length / 5 }, (_, r) => r);
  return rows.toSorted((a, b) => rois[a * 5]! - rois[b * 5]! || a - b);
}

/** The regions of each image. */
function boxesOf(): Float32Array[] {
  const rois = fixture.floats('rois');
  return [0, 1].map((image) => {
    const rows = imageByImage().filter((r) => rois[r * 5] === image);
    return Float32Array.from(rows.flatMap((r) => [...rois.subarray(r * 5 + 1, r * 5 + 5)]));
  });
}

function mapOf(): tf.Tensor4D {
  const shape = fixture.shape('input') as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats('input'), shape), [0, 2, 3, 1]));
}

/** Maps as `[N, C, H, W]`, kernels as `[O, I, 1, 1]`. */
function inTheirOrder(values: Float32Array, shape: [number, number, number, number], name: string): Float32Array {
  if (name === 'map') return sampleChannelsFirst(values, shape);
  const [inputs, outputs] = [shape[2], shape[3]];
  return Float32Array.from(values, (_, i) => values[(i % inputs) * outputs + Math.floor(i / inputs)]!);
}
