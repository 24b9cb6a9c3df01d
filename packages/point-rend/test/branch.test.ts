import {
  Parameter,
  type Pyramid,
  Random,
  type Target,
  trainableParameters,
  useEngine,
  valueAndGradients,
} from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { above, type Fixture, relativeError, relativeToMaximum } from '@rcnn/fixtures';
import type { SampledRoIs } from '@rcnn/roi-heads';
import { describeBranch } from '@rcnn/roi-heads/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { subdivide } from '../src/index.ts';
import { build, labelsOf, mapOf, read, smallBranch } from './support.ts';

describeBranch(
  'PointRend’s branch',
  ({ inputs, numClasses }) =>
    smallBranch(
      { inChannels: inputs[0]!.channels, stride: inputs[0]!.stride, classes: numClasses - 1 },
      { subdivisionSteps: 2, subdivisionPoints: 30, training: { points: 12 } },
    ),
  { describe, test },
);

// detectron2's PointRend at commit 02b5c4e2: its head on a given map of 16 channels, with given boxes. The file's
// tolerances: logits and losses 1e-4, gradients 1e-2.
describe.each(['onnxruntime', 'cpu'] as const)('detectron2’s PointRend head on %s', (engine) => {
  test('masks of three boxes, step by step', async () => {
    await useEngine(engine);
    const fixture = await read('head_eval');
    const branch = await build(fixture);
    const features: Pyramid = [mapOf(fixture, 'features.p2')];
    const boxes = [0, 1].map((i) => fixture.floats(`boxes.${i}`));
    const labels = [0, 1].map((i) => labelsOf(fixture, `classes.${i}`));
    const all = Int32Array.from([...labels[0]!, ...labels[1]!]);
    const coarse = branch.coarse(features, boxes);
    const nchw = tf.tidy(() => tf.transpose(coarse, [0, 3, 1, 2]).dataSync());
    expect(above({ coarse: relativeToMaximum(nchw, fixture.floats('coarse_logits')) }, 1e-4)).toEqual({});

    const wrong: Record<string, unknown> = {};
    let step = 0;
    await subdivide(
      3,
      async (points) => {
        const side = 28 * 2 ** step;
        const found = await branch.pointsOfClass(features, coarse, { boxes, labels: all }, points);
        if (step > 0) Object.assign(wrong, compareStep(fixture, `step${step}`, side, points, found));
        step++;
        return found;
      },
      { side: 7 },
    );
    expect([step, wrong]).toEqual([4, {}]);

    const rois = boxes.map((ofImage, i) => ({
      boxes: ofImage,
      labels: labels[i]!,
      scores: new Float32Array(labels[i]!.length),
    }));
    const [first] = await branch.detect(features, rois);
    const cells = (first!.masks![0] as unknown as { cells: Float32Array }).cells;
    expect(above({ mask: relativeToMaximum(cells, fixture.floats('mask_probs')) }, 1e-4)).toEqual({});
    await expectNoLeak(() => branch.detect(features, rois));
    tf.dispose([coarse, ...features]);
    branch.dispose();
  });

  test('both losses, and what they send back to the map and to every weight', async () => {
    await useEngine(engine);
    const fixture = await read('head_train');
    const branch = await build(fixture);
    const map = new Parameter(mapOf(fixture, 'features.p2'));
    const parameters = new Map([['map', map], ...trainableParameters(branch)]);
    const targets = [0, 1].map((i) => fixture.targetOfDetectron2(i));
    const sampled = [0, 1].map((i): SampledRoIs => {
      const matchedIndices = fixture.integers(`matched.${i}`);
      const labels = matchedIndices.map((object) => targets[i]!.labels[object]!);
      return { boxes: fixture.floats(`rois.${i}`), labels, matchedIndices };
    });
    const learn = (): ReturnType<typeof branch.losses> => {
      const draws = ['random_pool', 'random_rest'].map((name) => fixture.floats(name));
      return branch.lossesWith([map.value as tf.Tensor4D], sampled, targets, 'train', () => draws.shift()!);
    };
    const sums: Record<string, Float32Array> = {};
    for (const name of ['loss_mask', 'loss_mask_point'] as const) {
      const { loss, gradients } = await valueAndGradients(async () => {
        const losses = await learn();
        for (const [other, value] of Object.entries(losses)) if (other !== name) value.dispose();
        return { loss: losses[name]! };
      }, parameters);
      expect(above({ [name]: relativeError(loss.dataSync()[0]!, fixture.floats(`loss.${name}`)[0]!) }, 1e-4)).toEqual(
        {},
      );
      const p2 = tf.tidy(() => tf.slice(gradients.get('map')!, [0, 0, 0, 0], [2, 32, 40, 1]).dataSync());
      expect(above({ p2: relativeToMaximum(p2, fixture.floats(`grad_p2.${name}.channel0`)) }, 1e-2)).toEqual({});
      for (const [key, gradient] of gradients) {
        const values = gradient.dataSync();
        sums[key] =
          sums[key] === undefined ? (values.slice() as Float32Array) : sums[key].map((sum, i) => sum + values[i]!);
      }
      tf.dispose([loss, ...gradients.values()]);
    }
    const errors: Record<string, number> = {};
    for (const name of fixture.names.filter((each) => each.startsWith('grad.stats.'))) {
      const key = name.replace('grad.stats.', '').replace('roi_heads.', '');
      errors[key] = relativeError(Math.hypot(...sums[key]!), fixture.floats(name)[0]!);
    }
    expect(Object.keys(errors)).toHaveLength(16);
    expect(above(errors, 1e-2)).toEqual({});
    await expectNoLeak(async () => tf.dispose({ ...(await learn()) }));
    map.dispose();
    branch.dispose();
  });
});

test('no positives: losses of 0 under the same names; no regions: no masks', async () => {
  await useEngine('onnxruntime');
  const branch = smallBranch({ inChannels: 4, stride: 4, classes: 2 });
  const features: Pyramid = [tf.zeros([1, 8, 8, 4]) as tf.Tensor4D];
  const none = { boxes: new Float32Array(), labels: new Int32Array(), matchedIndices: new Int32Array() };
  const background = {
    boxes: Float32Array.of(0, 0, 9, 9),
    labels: Int32Array.of(0),
    matchedIndices: Int32Array.of(-1),
  };
  const target: Target = { boxes: new Float32Array(), labels: new Int32Array(), masks: [] };
  for (const sampled of [none, background]) {
    const losses = await branch.losses(features, [sampled], [target], { phase: 'train', random: new Random(1) });
    expect(Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]])).toEqual([
      ['loss_mask', 0],
      ['loss_mask_point', 0],
    ]);
    tf.dispose({ ...losses });
  }
  const [found] = await branch.detect(features, [{ ...none, scores: new Float32Array() }]);
  expect(found!.masks).toEqual([]);
  tf.dispose([...features]);
  branch.dispose();
});

test('objects without masks are said', async () => {
  const branch = smallBranch({ inChannels: 4, stride: 4, classes: 2 });
  const features: Pyramid = [tf.zeros([1, 8, 8, 4]) as tf.Tensor4D];
  const sampled = { boxes: Float32Array.of(0, 0, 9, 9), labels: Int32Array.of(1), matchedIndices: Int32Array.of(0) };
  const target: Target = { boxes: Float32Array.of(0, 0, 9, 9), labels: Int32Array.of(1) };
  await expect(branch.losses(features, [sampled], [target], { phase: 'train', random: new Random(1) })).rejects.toThrow(
    /TARGET_INVALID|the masks are missing/,
  );
  tf.dispose([...features]);
  branch.dispose();
});

/** What differs in a step: places that were not asked in the reference, and the worst logit. */
function compareStep(
  fixture: Fixture,
  step: string,
  side: number,
  points: Float32Array,
  found: Float32Array,
): Record<string, unknown> {
  const count = found.length / 3;
  const indices = fixture.integers(`${step}.indices`);
  const logits = fixture.floats(`${step}.point_logits_of_class`);
  const largest = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let strangers = 0;
  let worst = 0;
  for (let r = 0; r < 3; r++) {
    const expected = new Map<number, number>();
    for (let i = r * count; i < (r + 1) * count; i++) expected.set(indices[i]!, logits[i]!);
    for (let i = r * count; i < (r + 1) * count; i++) {
      const cell = Math.floor(points[2 * i + 1]! * side) * side + Math.floor(points[2 * i]! * side);
      const logit = expected.get(cell);
      if (logit === undefined) strangers++;
      else worst = Math.max(worst, Math.abs(found[i]! - logit) / largest);
    }
  }
  return { ...(strangers > 0 && { [`${step}: other places`]: strangers }), ...above({ [step]: worst }, 1e-4) };
}
