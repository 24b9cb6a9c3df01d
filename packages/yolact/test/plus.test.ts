import { loadStateDict, memorySource } from '@rcnn/checkpoint';
import { DeformConv2d, Parameter, Random, trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { above, Fixture, relativeError, relativeToMaximum, sampleChannelsFirst, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { MaskIoUNet, maskIoULoss, yolactRecipes } from '../src/index.ts';
import { iouWith, keptRows } from '../src/mask-iou-loss.ts';

const read = (name: string): Promise<Fixture> => Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

beforeAll(useFastEngine);

// torchvision 0.29.1's deform_conv2d behind the offsets and weights of its own convolution, forward and backward.
test.each([1, 2])('the deformable convolution with stride %i: its output and every gradient', async (stride) => {
  const fixture = await read('dcn');
  const at = `s${stride}.`;
  const conv = new DeformConv2d(6, 4, { kernelSize: 3, stride });
  const weights = {
    weight: 'weight',
    bias: 'bias',
    'conv_offset_mask.weight': 'offset_mask_weight',
    'conv_offset_mask.bias': 'offset_mask_bias',
  };
  const entries = Object.entries(weights).map(([name, theirs]) => fixture.entry(at + theirs, name));
  await loadStateDict(conv, memorySource(entries));
  const x = new Parameter(mapOf(fixture, `${at}input`));
  const dy = mapOf(fixture, `${at}grad_out`);
  const out = conv.forward(x.value as tf.Tensor4D);
  expect(relativeToMaximum(channelsFirst(out), fixture.floats(`${at}out`))).toBeLessThan(1e-5);
  const parameters = new Map([...trainableParameters(conv), ['input', x] as const]);
  const { loss, gradients } = await valueAndGradients(async () => {
    return { loss: tf.sum(tf.mul(conv.forward(x.value as tf.Tensor4D), dy)) as tf.Scalar };
  }, parameters);
  const errors: Record<string, number> = {};
  for (const [name, theirs] of Object.entries({ ...weights, input: 'input' })) {
    const gradient = gradients.get(name)!;
    const values = name === 'input' ? channelsFirst(gradient as tf.Tensor4D) : inTorchOrder(gradient);
    errors[name] = relativeToMaximum(values, fixture.floats(`${at}grad.${theirs}`));
  }
  expect(above(errors, 1e-5)).toEqual({});
  tf.dispose([out, dy, loss, ...gradients.values()]);
  x.dispose();
  conv.dispose();
});

test('the rating of masks: what it says, what it should say, its loss and every gradient', async () => {
  const fixture = await read('maskiou');
  const net = new MaskIoUNet({ numClasses: 6 });
  await loadStateDict(
    net,
    fixture.weights((name) => name.replace('maskiou_net.', '')),
  );
  const masks = new Parameter(tf.tensor3d(fixture.floats('masks'), [5, 64, 64]));
  const bits = fixture.integers('gt_masks') as unknown as Uint8Array;
  const targets = Array.from({ length: 5 }, (_, i) => Float32Array.from(bits.subarray(i * 4096, (i + 1) * 4096)));
  const kept = fixture.integers('kept') as unknown as Uint8Array;
  expect([...keptRows(targets)]).toEqual([...kept.keys()].filter((row) => kept[row] === 1));
  const said = [1, 2, 3, 4, 5].map((label) => net.forward(masks.value as tf.Tensor3D, new Int32Array(5).fill(label)));
  const all = tf.stack(said, 1); // [R, K]
  const truth = tf.tensor3d(Float32Array.from(targets.flatMap((target) => [...target])), [5, 64, 64]);
  const real = iouWith(masks.value as tf.Tensor3D, truth);
  const wanted = fixture.floats('iou_targets');
  const errors = {
    said: relativeToMaximum(all.dataSync(), fixture.floats('out')),
    real: relativeToMaximum(
      [...real.dataSync()].filter((_, row) => kept[row] === 1),
      wanted.length === kept.length ? wanted.filter((_, row) => kept[row] === 1) : wanted,
    ),
  };
  expect(above(errors, 1e-4)).toEqual({});

  const labels = fixture.integers('labels').map((label) => label + 1);
  const parameters = new Map([...trainableParameters(net), ['masks', masks] as const]);
  const learn = async () => {
    const loss = maskIoULoss(net, { masks: masks.value as tf.Tensor3D, targets, labels });
    return { loss: tf.mul(loss, 25) as tf.Scalar };
  };
  const { loss, gradients } = await valueAndGradients(learn, parameters);
  expect(relativeError(loss.dataSync()[0]!, fixture.floats('loss_times_alpha_before_dividing')[0]!)).toBeLessThan(1e-4);
  const wrong: Record<string, number> = {};
  for (const [name, gradient] of gradients) {
    const values = inTorchOrder(gradient);
    const theirs = name === 'masks' ? 'grad.masks' : `grad.full.maskiou_net.${name}`;
    if (fixture.has(theirs)) wrong[name] = relativeToMaximum(values, fixture.floats(theirs));
    if (name === 'masks') continue;
    const [norm] = fixture.floats(`grad.stats.maskiou_net.${name}`);
    wrong[`norm of ${name}`] = relativeError(Math.sqrt(values.reduce((sum, v) => sum + v * v, 0)), norm!);
  }
  expect(Object.keys(wrong).length).toBe(12 + 9 + 1);
  expect(above(wrong, 1e-2)).toEqual({});
  tf.dispose([loss, ...gradients.values()]);
  await expectNoLeak(async () => {
    const again = await valueAndGradients(learn, parameters);
    tf.dispose([again.loss, ...again.gradients.values()]);
  });
  const none = maskIoULoss(net, {
    masks: masks.value as tf.Tensor3D,
    targets: targets.map((t) => t.map(() => 0)),
    labels,
  });
  expect(none.dataSync()[0]).toBe(0); // too small to be rated
  tf.dispose([all, truth, real, none, ...said]);
  masks.dispose();
  net.dispose();
});

test('where several cells are equally large, the gradient goes to one of them', () => {
  const net = new MaskIoUNet({ numClasses: 2, channels: [1], random: new Random(1) });
  const bias = net.namedParameters().get('maskiou_net.0.bias')!;
  for (const parameter of net.namedParameters().values()) tf.tidy(() => parameter.assign(tf.onesLike(parameter.value)));
  const masks = tf.zeros([1, 9, 9]) as tf.Tensor3D; // 4x4 cells, all alike
  const gradient = tf.tidy(() => {
    return tf.variableGrads(() => tf.sum(net.forward(masks, Int32Array.of(1))), [bias.variable]).grads[
      bias.variable.name
    ]!;
  });
  expect([...gradient.dataSync()]).toEqual([1]);
  tf.dispose([masks, gradient]);
  net.dispose();
});

test('masks that are too small for the network are refused by name', () => {
  const net = new MaskIoUNet({ numClasses: 3, random: new Random(1) });
  const masks = tf.zeros([1, 62, 63]) as tf.Tensor3D;
  expect(() => net.forward(masks, Int32Array.of(1))).toThrow('62x63');
  masks.dispose();
  net.dispose();
});

test('the published networks: which blocks are deformable, priors of a cell, the names of their parts', () => {
  for (const [body, deformable] of [
    ['resnet50', 13],
    ['resnet101', 11],
  ] as const) {
    const model = yolactRecipes.get(`yolact_plus_${body}_fpn`)!({
      planes: [4, 4, 4, 4],
      stemChannels: 4,
      fpnChannels: 8,
    });
    const names = [...model.namedParameters().keys()];
    expect(names.filter((name) => name.endsWith('conv2.conv_offset_mask.weight'))).toHaveLength(deformable);
    expect(names).toContain('backbone.body.layer2.0.conv2.bias');
    expect(names).toContain('maskiou_net.maskiou_net.10.weight');
    expect(model.head.priorsPerCell).toBe(9);
    expect(model.spec.isPredictor('maskiou_net.maskiou_net.10.weight')).toBe(true);
    model.dispose();
  }
});

function mapOf(fixture: Fixture, name: string): tf.Tensor4D {
  const shape = fixture.shape(name) as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
}

const channelsFirst = (map: tf.Tensor4D): Float32Array => sampleChannelsFirst(map.dataSync(), map.shape);

/** A filter `[h, w, I, O]` as `[O, I, h, w]`; others as they are. */
function inTorchOrder(values: tf.Tensor): Float32Array {
  return tf.tidy(() => (values.rank === 4 ? tf.transpose(values, [3, 2, 0, 1]) : values).dataSync() as Float32Array);
}
