import {
  type Backbone,
  type Detection,
  type DetectionMask,
  type Detector,
  isRcnnError,
  type Losses,
  Parameter,
  type PixelImage,
  type Pyramid,
  type Target,
  trainableParameters,
  valueAndGradients,
} from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { boxMask, LetterboxTransform } from '@rcnn/detector';
import { useFastEngine } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type AnchorSource,
  type BoxPredictor,
  FasterRCNN,
  Mask,
  MaskRCNN,
  MaskRCNNHeads,
  type MaskRCNNOptions,
  type ProposalHead,
  pyramidAnchors,
  type RegionHeads,
  type RoIBranch,
  type RoIs,
  TwoFCHead,
} from '../src/index.ts';

beforeAll(useFastEngine);

const numClasses = 3;
const image: PixelImage = { data: new Uint8Array(40 * 60 * 3).fill(90), height: 40, width: 60, channels: 3 };
const target = {
  boxes: Float32Array.of(5, 5, 25, 30),
  labels: Int32Array.of(1),
  masks: [Mask.fromBox([5, 5, 20, 25], [40, 60])],
};

/** One map of stride 16, by averaging: plain objects all along, nothing extends anything. */
function backbone(): Backbone {
  const scale = new Parameter(tf.ones([3]));
  return {
    outputs: [{ channels: 3, stride: 16 }],
    forward: (images) => tf.tidy(() => [tf.mul(tf.avgPool(images, 16, 16, 'same'), scale.value) as tf.Tensor4D]),
    namedParameters: (prefix = '') => new Map([[`${prefix}scale`, scale]]),
    dispose: () => scale.dispose(),
  };
}

const small = { minSize: 64, maxSize: 96, numClasses, boxScoreThresh: 0.1, boxDetectionsPerImg: 4 } as const;

function model(options: Partial<MaskRCNNOptions> = {}): MaskRCNN {
  const parts = options.roiHeads === undefined && {
    boxHead: new TwoFCHead({ inChannels: 3, outFeatures: 8 }),
    maskHead: new MaskRCNNHeads({ inChannels: 3, channels: [4] }),
  };
  return new MaskRCNN(backbone(), { ...small, ...parts, ...options });
}

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return isRcnnError(error, 'INVALID_ARGUMENT') ? `${error.where} (${error.place}): ${error.message}` : String(error);
  }
  return 'not refused';
}

describe('types', () => {
  test('a Mask R-CNN’s detections have masks, a Faster R-CNN’s may', () => {
    expectTypeOf<Awaited<ReturnType<MaskRCNN['detect']>>[0][0]['mask']>().toEqualTypeOf<DetectionMask>();
    expectTypeOf<Awaited<ReturnType<FasterRCNN['detect']>>[0][0]>().toEqualTypeOf<Detection>();
    expectTypeOf<MaskRCNN>().toExtend<FasterRCNN>();
    expectTypeOf<MaskRCNN>().toExtend<Detector>();
  });
});

describe('parts of one’s own are plain objects', () => {
  /** Zero logits and deltas for three anchors, from a parameter each. */
  const head = (): ProposalHead => {
    const bias = new Parameter(tf.zeros([15]));
    const outputs = (features: Pyramid, from: number, width: number): tf.Tensor4D[] =>
      features.map((map) => {
        const [count, height, w] = map.shape;
        return tf.add(tf.zeros([count, height, w, width]), tf.slice(bias.value, from, width)) as tf.Tensor4D;
      });
    return {
      forward: (features) => tf.tidy(() => ({ logits: outputs(features, 0, 3), deltas: outputs(features, 3, 12) })),
      namedParameters: (prefix = '') => new Map([[`${prefix}bias`, bias]]),
      dispose: () => bias.dispose(),
    };
  };
  const predictor = (): BoxPredictor => {
    const weight = new Parameter(tf.zeros([8, numClasses + 4]));
    return {
      numClasses,
      forward: (x) =>
        tf.tidy(() => {
          const both = tf.matMul(x, weight.value as tf.Tensor2D);
          const part = (from: number, width: number): tf.Tensor2D =>
            tf.slice(both as tf.Tensor2D, [0, from], [-1, width]);
          return { logits: part(0, numClasses), deltas: part(numClasses, 4) }; // one box for all classes
        }),
      namedParameters: (prefix = '') => new Map([[`${prefix}weight`, weight]]),
      dispose: () => weight.dispose(),
    };
  };
  const usual = pyramidAnchors(1);
  const anchors: AnchorSource = {
    anchorsPerCell: [3],
    forward: (grids, padded) => usual.forward(grids, padded).map((level) => level.map((side) => side * 1.5)),
  };
  let mine: MaskRCNN;
  beforeAll(() => {
    mine = model({ rpnHead: head(), rpnAnchorGenerator: anchors, boxPredictor: predictor() });
  });
  afterAll(() => mine.dispose());

  test('they detect, and learn with gradients to each', async () => {
    const [found] = await mine.detect([image]);
    expect(found!.length).toBeGreaterThan(0); // each class has a third of the probability
    expect(found![0]!.mask.size).toEqual([40, 60]);
    const { loss, gradients } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await mine.losses([image], [target]))) }),
      trainableParameters(mine),
    );
    expect([...gradients.keys()]).toEqual(
      expect.arrayContaining(['rpn.head.bias', 'roi_heads.box_predictor.weight', 'backbone.scale']),
    );
    tf.dispose([loss, ...gradients.values()]);
  });

  test('a letterbox goes in where the usual transform was', async () => {
    const boxed = model({ transform: new LetterboxTransform({ size: [96, 96] }) });
    for (const { box, mask } of (await boxed.detect([image]))[0]!) {
      expect(box[0] >= 0 && box[1] >= 0 && box[2] <= 60 && box[3] <= 40).toBe(true);
      expect(mask.size).toEqual([40, 60]);
    }
    const losses = await boxed.losses([image], [target]);
    expect(Object.values(losses).every((loss) => Number.isFinite(loss.dataSync()[0]))).toBe(true);
    tf.dispose({ ...losses });
    boxed.dispose();
  });
});

describe('a second stage of one’s own', () => {
  const half = new Float32Array(16).fill(0.9);
  /** Calls every proposal class 1, with a mask; learns after an await. */
  const heads = (changes: Partial<RegionHeads> = {}): RegionHeads => ({
    spec: { numClasses, learnsFrom: [], finds: ['boxes', 'masks'], isPredictor: () => false },
    detect: async (_, proposals) =>
      proposals.map((rois): RoIs => ({ ...rois, labels: rois.labels.map(() => 1), masks: Array.from(rois.labels, () => boxMask(half)) })), // biome-ignore format: one line
    losses: async (features) => {
      await features[0]!.data();
      return { loss_mine: tf.tidy(() => tf.mean(features[0]!) as tf.Scalar) };
    },
    namedParameters: () => new Map(),
    dispose: () => {},
    ...changes,
  });

  test('is an option of FasterRCNN and of MaskRCNN', async () => {
    for (const mine of [new FasterRCNN(backbone(), { ...small, roiHeads: heads() }), model({ roiHeads: heads() })]) {
      const [found] = await mine.detect([image]);
      expect(found!.map(({ label }) => label)).toContain(1);
      expect(found!.every(({ mask }) => mask !== undefined)).toBe(true);
      const losses = await mine.losses([image], [target]);
      expect(Object.keys(losses)).toEqual(['loss_mine', 'loss_objectness', 'loss_rpn_box_reg']);
      tf.dispose({ ...losses });
      mine.dispose();
    }
  });

  test('what does not go together is refused', () => {
    const noMasks = { spec: { ...heads().spec, finds: ['boxes'] as const } };
    expect(refusal(() => model({ roiHeads: heads(noMasks) }))).toContain('they find no masks');
    expect(refusal(() => model({ roiHeads: heads(), branches: {} }))).toContain('these parts would not be used');
    const other = { spec: { ...heads().spec, numClasses: 7 } };
    expect(refusal(() => model({ roiHeads: heads(other) }))).toContain('found 7, expected 3');
  });

  test('when it throws between two awaits, nothing is left, with a tape and without', async () => {
    const broken = heads({
      losses: async (features) => {
        await features[0]!.data();
        throw new Error('a broken part');
      },
    });
    const mine = model({ roiHeads: broken });
    await expectNoLeak(() => mine.losses([image], [target]).catch(() => {}));
    await expectNoLeak(() =>
      valueAndGradients(
        async () => ({ loss: tf.addN(Object.values(await mine.losses([image], [target]))) }),
        trainableParameters(mine),
      ).catch(() => {}),
    );
    mine.dispose();
  });

  test('a loss under a name of the first stage is refused, and nothing is left', async () => {
    const clash = heads({ losses: async () => ({ loss_objectness: tf.scalar(1) }) as Losses });
    const mine = model({ roiHeads: clash });
    const call = (): Promise<Losses> => mine.losses([image], [target]);
    await expect(call()).rejects.toThrow("found 'loss_objectness' of 'rpn' and of 'roiHeads'");
    await expectNoLeak(() => call().catch(() => {}));
    mine.dispose();
  });
});

test('a branch under a name that is taken is refused', () => {
  const branch = { spec: {}, losses: () => ({}), detect: async (_: Pyramid, rois: readonly RoIs[]) => [...rois], namedParameters: () => new Map(), dispose: () => {} } satisfies RoIBranch; // biome-ignore format: one line
  expect(refusal(() => model({ branches: { mask: branch } }))).toContain("found 'mask' of those given");
  expect(refusal(() => model({ branches: { box: branch } }))).toContain("found 'box' of those given");
  const fine = model({ branches: { mine: branch } });
  fine.dispose();
});

describe('a branch of one’s own that learns key points', () => {
  /** Learns that its one number is the sum of the key points; finds the box's corner, in pixels of the batch. */
  class CornerBranch implements RoIBranch {
    readonly spec = { learnsFrom: ['keypoints'], finds: ['keypoints'], numKeypoints: 1 } as const;
    readonly sum = new Parameter(tf.scalar(0));
    seen: number[] = [];

    namedParameters(prefix = ''): Map<string, Parameter> {
      return new Map([[`${prefix}keypoint_head.sum`, this.sum]]);
    }

    dispose(): void {
      this.sum.dispose();
    }

    async losses(_: Pyramid, _sampled: unknown, targets: readonly Target[]): Promise<Losses> {
      this.seen = [...targets[0]!.keypoints!];
      await this.sum.value.data();
      const total = this.seen.reduce((a, b) => a + b, 0);
      return { loss_keypoint: tf.tidy(() => tf.squaredDifference(this.sum.value, total) as tf.Scalar) };
    }

    async detect(_: Pyramid, rois: readonly RoIs[]): Promise<RoIs[]> {
      return rois.map((one) => {
        const corners = Array.from(one.labels, (_label, i) => [one.boxes[4 * i]!, one.boxes[4 * i + 1]!, 1]);
        return { ...one, keypoints: Float32Array.from(corners.flat()) };
      });
    }
  }
  let branch: CornerBranch;
  let mine: MaskRCNN;
  beforeAll(() => {
    branch = new CornerBranch();
    mine = model({ branches: { keypoint: branch } });
  });
  afterAll(() => mine.dispose());
  const withPoint = { ...target, keypoints: Float32Array.of(10, 20, 2) };

  test('the detector asks for key points, and gives them in pixels of the batch', async () => {
    expect(mine.spec.learnsFrom).toEqual(['masks', 'keypoints']);
    await expect(mine.losses([image], [target])).rejects.toThrow('the key points are missing');
    const { loss, gradients } = await valueAndGradients(
      async () => ({ loss: tf.addN(Object.values(await mine.losses([image], [withPoint]))) }),
      trainableParameters(mine),
    );
    expect(branch.seen).toEqual([16, 32, 2]); // 40x60 became 64x96
    expect(gradients.get('roi_heads.keypoint_head.sum')!.dataSync()[0]).toBe(-100);
    tf.dispose([loss, ...gradients.values()]);
  });

  test('what it finds comes out in pixels of the image', async () => {
    const [found] = await mine.detect([image]);
    expect(found!.length).toBeGreaterThan(0);
    for (const { box, keypoints } of found!) expect(keypoints).toEqual([[box[0], box[1], 1]]);
  });
});
