import '@tensorflow/tfjs-backend-cpu';
import { isRcnnError, type Target } from '@rcnn/core';
import { expectNoLeak } from '@rcnn/core/testing';
import { Mask } from '@rcnn/masks';
import { describe, expect, test } from 'vitest';
import { FixedSizeTransform, prepare, prepareToLearn, type TargetRules, withoutCrowds } from '../src/index.ts';

const transform = new FixedSizeTransform({ size: [16, 16] });
const image = { data: new Uint8Array(8 * 4 * 3), height: 8, width: 4, channels: 3 } as const;

function target(changes: Partial<Target> = {}): Target {
  return {
    boxes: Float32Array.of(0, 0, 2, 4, 1, 2, 4, 8),
    labels: Int32Array.of(1, 2),
    masks: [Mask.fromBox([0, 0, 2, 4], [8, 4]), Mask.fromBox([1, 2, 3, 6], [8, 4])],
    keypoints: Float32Array.of(1, 1, 2, 0, 0, 0, 2, 3, 1, 3, 7, 2), // two points each
    crowd: Uint8Array.of(0, 1),
    area: Float64Array.of(8, 18),
    imageId: 4711,
    ...changes,
  };
}

const spec: TargetRules = { numClasses: 3, learnsFrom: ['masks', 'keypoints'], numKeypoints: 2 };

test('targets move with their images, without crowds', async () => {
  const { images, targets } = await prepareToLearn('losses', { transform, spec }, [image], [target()]);
  images.dispose();
  const { boxes, labels, masks, keypoints, crowd, area, imageId } = targets[0]!;
  expect([...boxes]).toEqual([0, 0, 8, 8]);
  expect([...labels, ...crowd!, imageId]).toEqual([1, 0, 4711]);
  expect([...keypoints!]).toEqual([4, 2, 2, 0, 0, 0]);
  expect([...area!]).toEqual([64]);
  expect(masks!.map(({ size }) => size)).toEqual([[16, 16]]);
});

test('crowds stay for whoever leaves out what lies in them', async () => {
  const options = { keepCrowds: true };
  const { images, targets } = await prepareToLearn('losses', { transform, spec }, [image], [target()], options);
  images.dispose();
  expect([...targets[0]!.crowd!]).toEqual([0, 1]);
});

test('a target without crowds is given back as it is', () => {
  const plain = target({ crowd: Uint8Array.of(0, 0) });
  expect(withoutCrowds(plain)).toBe(plain);
});

describe('what does not fit is refused before any arithmetic, with its place', () => {
  const keypoints = (i: number, value: number): Partial<Target> => {
    const changed = target().keypoints!.slice();
    changed[i] = value;
    return { keypoints: changed };
  };
  const { masks: _masks, ...noMasks } = target();
  const { keypoints: _keypoints, ...noKeypoints } = target();

  test.each<[string, Target, string]>([
    ['no masks', noMasks, 'TARGET_INVALID masks'],
    ['no key points', noKeypoints, 'TARGET_INVALID keypoints'],
    ['a key point too few', target({ keypoints: new Float32Array(9) }), 'TARGET_INVALID keypoints'],
    ['key points of another number', target({ keypoints: new Float32Array(18) }), 'TARGET_INVALID keypoints'],
    ['a key point at NaN', target(keypoints(7, Number.NaN)), 'NON_FINITE keypoints[1][0]'],
    ['a visibility of 3', target(keypoints(11, 3)), 'TARGET_INVALID keypoints[1][1]'],
    ['a crowd mark too few', target({ crowd: Uint8Array.of(1) }), 'TARGET_INVALID crowd'],
    ['an area too many', target({ area: new Float64Array(3) }), 'TARGET_INVALID area'],
  ])('%s', async (_, bad, expected) => {
    const call = (): Promise<unknown> => prepareToLearn('losses', { transform, spec }, [image], [bad]);
    const error = await call().catch((reason: unknown) => reason);
    expect(isRcnnError(error) && `${error.code} ${error.place}`.replace('targets[0].', '')).toBe(
      `${expected} of image 4711`,
    );
    await expectNoLeak(() => call().catch(() => {}));
  });

  test('a detector that learns from boxes alone looks at nothing else', async () => {
    const boxesOnly: TargetRules = { numClasses: 3, learnsFrom: [] };
    const { images, targets } = await prepareToLearn('losses', { transform, spec: boxesOnly }, [image], [noMasks]);
    images.dispose();
    expect(targets[0]!.labels.length).toBe(1);
  });

  test('an image without objects needs neither masks nor key points', async () => {
    const empty: Target = { boxes: new Float32Array(), labels: new Int32Array() };
    const { images, targets } = await prepareToLearn('losses', { transform, spec }, [image], [empty]);
    images.dispose();
    expect(targets).toEqual([empty]);
  });
});

test('a broken image is named by the method that was called', async () => {
  const bad = { ...image, width: 5 };
  await expect(prepare('detect', transform, [image, bad])).rejects.toThrow('detect (images[1])');
});

test('only the images of the batch are kept', () =>
  expectNoLeak(async () => {
    const { images } = await prepare('detect', transform, [image]);
    images.dispose();
  }));
