import {
  type Detection,
  type Detector,
  isRcnnError,
  type Losses,
  Random,
  trainableParameters,
  valueAndGradients,
} from '@rcnn/core';
import { expectClose, expectNoLeak, parameterValues, type TestRunner } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { crowdsAlone, onePixel, type TestScene, testScene, withoutObjects } from './test-scenes.ts';

export interface DetectorContractOptions {
  /** `[height, width]` of the two test images; of two sizes on purpose. Default [61, 83] and [72, 50]. */
  readonly sizes?: readonly (readonly [height: number, width: number])[] | undefined;
  /** False skips the gradient test, for engines that cannot train. Default true. */
  readonly gradients?: boolean | undefined;
}

/**
 * The contract of a {@link Detector}, as tests: whatever passes can be trained, evaluated, drawn and saved by programs
 * that know nothing of its method.
 *
 * ```ts
 * import { describe, test } from 'vitest';
 * describeDetector('my detector', () => new MyDetector({ scoreThreshold: 0 }), { describe, test });
 * ```
 *
 * @param make builds a fresh detector, which the tests dispose. It must find something with its first weights: give it
 * a low score threshold
 * @param runner default: the global `describe` and `test`, as Jest has them
 */
export function describeDetector(
  name: string,
  make: () => Detector,
  runner: TestRunner = globalThis as unknown as TestRunner,
  options: DetectorContractOptions = {},
): void {
  const { sizes = [[61, 83], [72, 50]], gradients = true } = options; // biome-ignore format: one line
  const { describe, test } = runner;
  const using = async (body: (detector: Detector, scenes: readonly TestScene[]) => unknown): Promise<void> => {
    const detector = make();
    try {
      await body(detector, sizes.map((size) => testScene(size, detector.spec))); // biome-ignore format: one line
    } finally {
      detector.dispose();
    }
  };

  describe(`${name} keeps the contract of a detector`, () => {
    test('its spec says what it is', () =>
      using(({ spec }) => {
        const { numClasses, learnsFrom, finds, numKeypoints = 0, input } = spec;
        assert(Number.isInteger(numClasses) && numClasses >= 2, `numClasses is ${numClasses}`);
        assert(finds.length > 0, 'it finds nothing');
        const points = [...learnsFrom, ...finds].includes('keypoints');
        assert(!points || numKeypoints > 0, 'it has key points, and numKeypoints does not say how many');
        assert(input.mean.every(Number.isFinite), `input.mean is [${input.mean.join(', ')}]`);
        assert(input.std.every((value) => value > 0), `input.std is [${input.std.join(', ')}]`); // biome-ignore format: one line
        assert(input.sizeDivisor >= 1, `input.sizeDivisor is ${input.sizeDivisor}`);
      }));

    test('it finds what it says, inside each image, best first', () =>
      using(async (detector, scenes) => {
        const found = await detector.detect(images(scenes));
        assert(found.length === scenes.length, `${found.length} lists for ${scenes.length} images`);
        assert(found.flat().length > 0, 'it finds nothing in the test images; make it with a low score threshold');
        for (const [i, detections] of found.entries()) checkDetections(detections, scenes[i]!, detector);
      }));

    test('predicting twice gives the same, and changes no parameter', () =>
      using(async (detector, scenes) => {
        const before = await parameterValues(detector.namedParameters());
        const first = await detector.detect(images(scenes));
        const second = await detector.detect(images(scenes));
        same(numbersOf(second), numbersOf(first));
        for (const [key, values] of await parameterValues(detector.namedParameters())) same(values, before.get(key)!);
      }));

    test('a tensor and the same pixels give the same', () =>
      using(async (detector, [scene]) => {
        const { data, height, width } = scene!.image;
        const tensor = tf.tensor3d(Float32Array.from(data), [height, width, 3]);
        same(numbersOf(await detector.detect([tensor])), numbersOf(await detector.detect([scene!.image])));
        tensor.dispose();
      }));

    test('losses are finite scalars, the same every time, for whatever is in the images', () =>
      using(async (detector, scenes) => {
        const [scene] = scenes;
        const cases: Record<string, readonly TestScene[]> = {
          'images of two sizes': scenes,
          'an image without objects': [withoutObjects(scene!)],
          'one with and one without': [scene!, withoutObjects(scenes[1] ?? scene!)],
          'crowds alone': [crowdsAlone(scene!)],
          'a single pixel': [onePixel],
        };
        for (const [what, batch] of Object.entries(cases)) {
          const first = await lossesOf(detector, batch);
          assert(Object.keys(first).length > 0, `${what}: there is no loss`);
          for (const [key, value] of Object.entries(first))
            assert(Number.isFinite(value), `${what}: ${key} is ${value}`);
          const second = await lossesOf(detector, batch);
          assert(JSON.stringify(second) === JSON.stringify(first), `${what}: other losses the second time`);
        }
      }));

    test('a single pixel is an image', () =>
      using(async (detector) => {
        const [detections] = await detector.detect([onePixel.image]);
        checkDetections(detections!, onePixel, detector);
      }));

    test('bad input is refused with a code, and nothing is left behind', () =>
      using(async (detector, [scene]) => {
        const { image, target } = scene!;
        const { numClasses } = detector.spec;
        const calls: Record<string, () => Promise<unknown>> = {
          'no image': () => detector.detect([]),
          'a NaN pixel': () => detector.detect([{ ...image, data: image.data.map(() => Number.NaN) }]),
          'a target too few': () => detector.losses([image, image], [target]),
          'a label too high': () =>
            detector.losses([image], [{ ...target, labels: target.labels.map(() => numClasses) }]),
          'a box without area': () => detector.losses([image], [{ ...target, boxes: new Float32Array(8) }]),
        };
        for (const [what, call] of Object.entries(calls)) {
          const error = await call().then(() => undefined, (reason: unknown) => reason); // biome-ignore format: one line
          assert(isRcnnError(error), `${what} is not refused with an RcnnError`);
          await expectNoLeak(() => call().catch(() => {}), 1);
        }
      }));

    test('no tensor is kept, by detecting or by losses', () =>
      using(async (detector, scenes) => {
        await detector.detect(images(scenes)); // the first may make what later ones use again
        await lossesOf(detector, scenes);
        await expectNoLeak(() => detector.detect(images(scenes)));
        await expectNoLeak(() => lossesOf(detector, scenes));
      }));

    test('every parameter is reported, under a name of its own, and dispose frees all', async () => {
      const before = tf.memory().numTensors;
      const detector = make();
      const made = tf.memory().numTensors - before;
      const parameters = detector.namedParameters('model.');
      for (const key of parameters.keys()) assert(key.startsWith('model.'), `'${key}' lost its prefix`);
      const variables = new Set([...parameters.values()].map(({ variable }) => variable));
      assert(variables.size === parameters.size, 'a parameter has two names');
      assert(made <= parameters.size, `${made} tensors were made, but only ${parameters.size} parameters are reported`);
      await detector.detect([testScene(sizes[0]!, detector.spec).image]);
      detector.dispose();
      const left = tf.memory().numTensors - before;
      assert(left === 0, `${left} tensors are left after dispose`);
    });

    test('several calls at once answer as they do one after another', () =>
      using(async (detector, scenes) => {
        const alone: Detection[][][] = [];
        for (const { image } of scenes) alone.push(await detector.detect([image]));
        await lossesOf(detector, scenes); // may make what later ones use again
        const before = tf.memory().numTensors;
        const calls = [...scenes, ...scenes, ...scenes].map(({ image }) => detector.detect([image]));
        const losses = lossesOf(detector, scenes); // measured in between
        for (const [i, found] of (await Promise.all(calls)).entries())
          same(numbersOf(found), numbersOf(alone[i % scenes.length]!));
        await losses;
        const left = tf.memory().numTensors - before;
        assert(left === 0, `${left} tensors are left`);
      }));

    test('disposed, it refuses every call; a call that dispose overtakes is refused or right', () =>
      using(async (detector, scenes) => {
        const right = numbersOf(await detector.detect(images(scenes)));
        const before = tf.memory().numTensors;
        for (let ticks = 0; ticks < 12; ticks++) {
          const other = make();
          const call = lastWord(other.detect(images(scenes)));
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
          other.dispose();
          const end = await call;
          if (Array.isArray(end)) same(numbersOf(end as Detection[][]), right);
          else assert(isRcnnError(end, 'DISPOSED'), `overtaken after ${ticks} ticks: ${String(end)}`);
          for (const late of [() => other.detect(images(scenes)), () => lossesOf(other, scenes)]) {
            const refusal = await lastWord(late());
            assert(isRcnnError(refusal, 'DISPOSED'), `after dispose: ${String(refusal)}`);
          }
          other.dispose(); // a second time does nothing
        }
        const left = tf.memory().numTensors - before;
        assert(left === 0, `${left} tensors are left`);
      }));

    test('its weights, carried by name into another, make the same detector', () =>
      using(async (detector, scenes) => {
        const saved = await parameterValues(detector.namedParameters());
        const other = make();
        try {
          for (const parameter of other.namedParameters().values()) {
            tf.tidy(() => parameter.assign(tf.mul(tf.add(parameter.value, 0.1), 0.5)));
          }
          for (const [key, parameter] of other.namedParameters()) {
            const values = saved.get(key);
            assert(values !== undefined, `'${key}' is a name of one of two detectors`);
            tf.tidy(() => parameter.assign(tf.tensor(values, [...parameter.shape])));
          }
          same(numbersOf(await other.detect(images(scenes))), numbersOf(await detector.detect(images(scenes))));
        } finally {
          other.dispose();
        }
      }));

    if (!gradients) return;
    test('gradients reach every trainable parameter, and a step leaves nothing', () =>
      using(async (detector, scenes) => {
        const parameters = trainableParameters(detector);
        assert(parameters.size > 0, 'nothing can be trained');
        const step = async (): Promise<void> => {
          const { loss, gradients: found } = await valueAndGradients(
            async () => ({ loss: tf.addN(Object.values(await losses(detector, scenes))) }),
            parameters,
          );
          try {
            for (const key of parameters.keys()) {
              const gradient = found.get(key);
              assert(gradient !== undefined, `no gradient reaches '${key}'`);
              assert((await gradient.data()).every(Number.isFinite), `the gradient of '${key}' is not finite`);
            }
          } finally {
            tf.dispose([loss, ...found.values()]);
          }
        };
        await expectNoLeak(step, 2);
      }));
  });
}

function images(scenes: readonly TestScene[]): TestScene['image'][] {
  return scenes.map(({ image }) => image);
}

/** A stream of its own every time, so that samplers draw the same. */
function losses(detector: Detector, scenes: readonly TestScene[]): Promise<Losses> {
  const targets = scenes.map(({ target }) => target);
  return detector.losses(images(scenes), targets, { phase: 'train', random: new Random(7) });
}

/** What a call gives or is refused with. */
function lastWord(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => error);
}

async function lossesOf(detector: Detector, scenes: readonly TestScene[]): Promise<Record<string, number>> {
  const targets = scenes.map(({ target }) => target);
  const found = await detector.losses(images(scenes), targets, { phase: 'predict', random: new Random(7) });
  const numbers: Record<string, number> = {};
  for (const [name, loss] of Object.entries(found)) {
    assert(loss.size === 1, `${name} has shape [${loss.shape.join(',')}]`);
    numbers[name] = (await loss.data())[0]!;
    loss.dispose();
  }
  return numbers;
}

/** Boxes may pass the border by this many pixels: they are scaled in float32. */
const SLACK = 1e-2;

function checkDetections(detections: readonly Detection[], { image }: TestScene, { spec }: Detector): void {
  const { finds, numClasses, numKeypoints } = spec;
  for (const [i, { box, label, score, mask, keypoints }] of detections.entries()) {
    const [x1, y1, x2, y2] = box;
    const inside = x1 >= -SLACK && y1 >= -SLACK && x2 <= image.width + SLACK && y2 <= image.height + SLACK;
    assert(x2 >= x1 && y2 >= y1 && inside, `box ${i} is [${box.join(', ')}] in ${image.height}x${image.width}`);
    assert(Number.isInteger(label) && label >= 1 && label < numClasses, `label ${i} is ${label} of ${numClasses}`);
    assert(score >= 0 && score <= 1, `score ${i} is ${score}`);
    assert(score <= (detections[i - 1]?.score ?? 1), `score ${i} is above the one before it`);
    if (finds.includes('masks')) {
      const size = mask?.size.join('x');
      assert(size === `${image.height}x${image.width}`, `mask ${i} is of size ${size}`);
      const { length } = mask!.bitmap();
      assert(length === image.height * image.width, `mask ${i} has ${length} pixels`);
    }
    if (!finds.includes('keypoints')) continue;
    assert(keypoints?.length === numKeypoints, `detection ${i} has ${keypoints?.length} key points`);
    assert(keypoints!.flat().every(Number.isFinite), `a key point of detection ${i} is not finite`);
  }
}

/** Everything that was found, as numbers. */
function numbersOf(found: readonly (readonly Detection[])[]): number[] {
  return found.flatMap((detections) => [
    detections.length,
    ...detections.flatMap(({ box, label, score, mask, keypoints = [] }) => [
      ...box,
      label,
      score,
      ...(mask?.runLengths().counts ?? []),
      ...keypoints.flat(),
    ]),
  ]);
}

function same(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expectClose(actual, expected, { absolute: 0, relative: 0 });
}

function assert(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`The contract of a detector is broken: ${problem}.`);
}
