import { loadStateDict } from '@rcnn/checkpoint';
import { Module, Parameter, valueAndGradients } from '@rcnn/core';
import { above, Fixture, relativeError, relativeToMaximum, useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { KeypointRCNNHeads, KeypointRCNNPredictor } from '../src/index.ts';

beforeAll(useFastEngine);

/** Both parts under the names that they have in a whole model. */
class Parts extends Module {
  readonly head = this.register(
    'roi_heads.keypoint_head',
    new KeypointRCNNHeads({ inChannels: 64, channels: Array.from({ length: 8 }, () => 64) }),
  );
  readonly predictor = this.register('roi_heads.keypoint_predictor', new KeypointRCNNPredictor(64, 17));
}

// torchvision 0.29.1 on given regions, and the gradients of mean(logits²). Tolerances: values 1e-4 of the largest,
// gradients' norms and single entries 1e-2.
test('head and predictor: maps, logits and every gradient are torchvision’s', async () => {
  const fixture = await Fixture.read(new URL('fixtures/keypoint_head.safetensors', import.meta.url));
  const parts = new Parts();
  await loadStateDict(parts, fixture.weights());
  const channelsLast = (name: string): tf.Tensor4D => {
    const shape = fixture.shape(name) as [number, number, number, number];
    return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
  };
  const input = new Parameter(channelsLast('input'));

  const parameters = new Map([...parts.namedParameters(), ['input', input] as const]);
  const { loss, gradients, extra } = await valueAndGradients(async () => {
    const map = parts.head.forward(input.value as tf.Tensor4D);
    const logits = parts.predictor.forward(map);
    return { loss: tf.mean(tf.square(logits)) as tf.Scalar, extra: { map, logits } };
  }, parameters);

  expect(extra.logits.shape).toEqual(fixture.shape('logits'));
  const largest = relativeToMaximum(await extra.logits.data(), fixture.floats('logits'));
  const maps = relativeToMaximum(await extra.map.data(), await channelsLast('after_relu.15').data());
  const objective = relativeError((await loss.data())[0]!, fixture.floats('objective')[0]!);
  expect(above({ logits: largest, maps, objective }, 1e-4)).toEqual({});

  const errors: Record<string, number> = {};
  for (const [name, gradient] of gradients) {
    const values = await gradient.data<'float32'>();
    if (name === 'input') {
      errors[name] = relativeToMaximum(values, await channelsLast('grad_input').data());
      continue;
    }
    const [norm, , maximum] = fixture.floats(`grad.stats.${name}`);
    errors[`norm of ${name}`] = relativeError(Math.sqrt(values.reduce((sum, g) => sum + g * g, 0)), norm!);
    errors[`maximum of ${name}`] = relativeError(
      values.reduce((most, g) => Math.max(most, Math.abs(g)), 0),
      maximum!,
    );
    const full = `grad.full.${name}`;
    if (fixture.has(full)) errors[`entries of ${name}`] = relativeToMaximum(values, fixture.floats(full));
  }
  expect(Object.keys(errors)).toHaveLength(2 * 18 + 9 + 1);
  expect(above(errors, 1e-2)).toEqual({});
});
