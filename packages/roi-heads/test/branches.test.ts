import '@tensorflow/tfjs-backend-cpu';
import { firstInOrderSampler } from '@rcnn/boxes';
import { isRcnnError, type Losses, Parameter, type Pyramid, type Target } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type BranchSpec, type RoIBranch, RoIHeads, type RoIs } from '../src/index.ts';

const sampler = firstInOrderSampler({ batchSize: 4, positiveFraction: 0.5 });
const target: Target = { boxes: Float32Array.of(0, 0, 4, 4), labels: Int32Array.of(1) };
const proposals = [Float32Array.of(0, 0, 4, 5)];

/** A branch with one parameter, whose loss is that parameter's value after an await. */
class Stub implements RoIBranch {
  readonly spec: BranchSpec;
  readonly parameter = new Parameter(tf.scalar(3));
  readonly #name: string;
  readonly #loss: string;

  constructor(name: string, loss: string, spec: BranchSpec = {}) {
    this.#name = name;
    this.#loss = loss;
    this.spec = spec;
  }

  namedParameters(prefix = ''): Map<string, Parameter> {
    return new Map([[prefix + this.#name, this.parameter]]);
  }

  dispose(): void {
    this.parameter.dispose();
  }

  async losses(): Promise<Losses> {
    await this.parameter.value.data();
    return { [this.#loss]: tf.tidy(() => tf.mul(this.parameter.value, 2) as tf.Scalar) };
  }

  async detect(_features: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
    return [...rois];
  }
}

const box = (): Stub => new Stub('box.weight', 'loss_box', { numClasses: 3, finds: ['boxes'], isPredictor: (name) => name === 'box.weight' }); // biome-ignore format: one line

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return isRcnnError(error, 'INVALID_ARGUMENT') ? error.message : `not typed: ${String(error)}`;
  }
  return 'not refused';
}

test('what the heads say of themselves comes from their branches', () => {
  const points = new Stub('points.weight', 'loss_points', { learnsFrom: ['keypoints'], finds: ['keypoints'], numKeypoints: 17 }); // biome-ignore format: one line
  const { isPredictor, ...facts } = new RoIHeads({ box: box(), points }).spec;
  expect(facts).toEqual({ numClasses: 3, learnsFrom: ['keypoints'], finds: ['boxes', 'keypoints'], numKeypoints: 17 });
  expect([isPredictor('box.weight'), isPredictor('points.weight')]).toEqual([true, false]);
});

test('two branches with a parameter of one name are refused', () => {
  const message = refusal(() => new RoIHeads({ box: box(), mine: new Stub('box.weight', 'loss_mine') }));
  expect(message).toContain("found 'box.weight' of branch 'mine' and of branch 'box'");
});

test('two branches with a loss of one name are refused when they learn, and nothing is kept', async () => {
  const heads = new RoIHeads({ box: box(), mine: new Stub('mine.weight', 'loss_box') }, { boxSampler: sampler });
  const call = (): Promise<Losses> => heads.losses([], proposals, [target]);
  const error = await call().catch((reason: unknown) => reason);
  expect(isRcnnError(error, 'INVALID_ARGUMENT') && error.message).toContain("found 'loss_box' of 'mine' and of 'box'");
  await expectNoLeak(() => call().catch(() => {}));
});

test('branches for different numbers of classes are refused', () => {
  const other = new Stub('mine.weight', 'loss_mine', { numClasses: 4 });
  expect(refusal(() => new RoIHeads({ box: box(), other }))).toContain('found 3 and 4');
});

test('branches may await while they learn; one that throws leaves nothing of the others', async () => {
  const heads = new RoIHeads({ box: box(), mine: new Stub('mine.weight', 'loss_mine') }, { boxSampler: sampler });
  const losses = await heads.losses([], proposals, [target]);
  expect(Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]])).toEqual([
    ['loss_box', 6],
    ['loss_mine', 6],
  ]);
  tf.dispose({ ...losses });
  const broken = new Stub('broken.weight', 'loss_broken');
  broken.losses = () => Promise.reject(new Error('a broken branch'));
  const bad = new RoIHeads({ box: box(), broken }, { boxSampler: sampler });
  await expectNoLeak(() => bad.losses([], proposals, [target]).catch(() => {}));
});
