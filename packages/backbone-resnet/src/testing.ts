import type { Backbone, Pyramid } from '@rcnn/core';
import { trainableParameters, valueAndGradients } from '@rcnn/core';
import { expectClose, expectNoLeak, parameterValues, type TestRunner } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';

export type { TestRunner } from '@rcnn/core/testing';

export interface BackboneContractOptions {
  /** Height and width of the test images. Odd on purpose: levels round up. Default [69, 101]. */
  readonly size?: readonly [height: number, width: number];
  /** How a level's cells are counted where its stride does not divide the size. Default `up`; VGG rounds `down`. */
  readonly rounding?: 'up' | 'down';
  /** False skips the gradient test, for engines that cannot train. Default true. */
  readonly gradients?: boolean;
}

/**
 * The contract of a {@link Backbone}, as tests: whatever passes can be injected into a detector.
 *
 * ```ts
 * import { describe, test } from 'vitest';
 * describeBackbone('my backbone', () => new MyBackbone(), { describe, test });
 * ```
 *
 * @param make builds a fresh backbone; the tests dispose it
 * @param runner default: the global `describe` and `test`, as Jest has them
 */
export function describeBackbone(
  name: string,
  make: () => Backbone,
  runner: TestRunner = globalThis as unknown as TestRunner,
  { size = [69, 101], rounding = 'up', gradients = true }: BackboneContractOptions = {},
): void {
  const { describe, test } = runner;
  const using = async (body: (backbone: Backbone) => unknown): Promise<void> => {
    const backbone = make();
    try {
      await body(backbone);
    } finally {
      backbone.dispose();
    }
  };

  describe(`${name} keeps the contract of a backbone`, () => {
    test('it declares its levels, finest first', () =>
      using(({ outputs }) => {
        assert(outputs.length > 0, 'outputs is empty');
        for (const [i, { channels, stride }] of outputs.entries()) {
          assert(Number.isInteger(channels) && channels > 0, `outputs[${i}].channels is ${channels}`);
          assert(Number.isInteger(stride) && stride > 0, `outputs[${i}].stride is ${stride}`);
          const finer = outputs[i - 1];
          if (finer) assert(stride > finer.stride, `outputs[${i}].stride ${stride} is not above ${finer.stride}`);
        }
      }));

    test('its maps have the declared channels, and a cell for each stride', () =>
      using((backbone) => {
        const images = testImages(2, size);
        const maps = backbone.forward(images, 'predict');
        assert(maps.length === backbone.outputs.length, `${maps.length} maps for ${backbone.outputs.length} outputs`);
        for (const [i, { channels, stride }] of backbone.outputs.entries()) {
          const [rows, columns] = size.map((side) => (rounding === 'up' ? Math.ceil : Math.floor)(side / stride));
          const expected = [2, rows, columns, channels].join();
          assert(
            maps[i]!.shape.join() === expected,
            `level ${i} has shape [${maps[i]!.shape}], expected [${expected}]`,
          );
          assert(maps[i]!.dtype === 'float32', `level ${i} is ${maps[i]!.dtype}`);
        }
        tf.dispose([images, [...maps]]);
      }));

    test('when predicting, each image is on its own and the answer is the same every time', () =>
      using(async (backbone) => {
        const images = testImages(2, size);
        const second = tf.slice(images, [1, 0, 0, 0], [1, -1, -1, -1]);
        const both = backbone.forward(images, 'predict');
        const again = backbone.forward(images, 'predict');
        const alone = backbone.forward(second, 'predict');
        for (const [i, map] of both.entries()) {
          expectClose(await again[i]!.data(), await map.data(), { absolute: 0, relative: 0 });
          const rest = (await map.data()).slice(map.size / 2);
          expectClose(await alone[i]!.data(), rest, { absolute: 1e-5, relative: 1e-4 });
        }
        tf.dispose([images, second, [...both], [...again], [...alone]]);
      }));

    test('predicting again and again changes no parameter and keeps no tensor but its maps', () =>
      using(async (backbone) => {
        const before = await parameterValues(backbone.namedParameters());
        const pass = (): void => {
          const images = testImages(1, size);
          tf.dispose([images, [...backbone.forward(images, 'predict')]]);
        };
        pass(); // the first may make what later ones use again, such as folded filters
        await expectNoLeak(pass);
        const after = await parameterValues(backbone.namedParameters());
        for (const [key, values] of before) expectClose(after.get(key)!, values, { absolute: 0, relative: 0 });
      }));

    test('every parameter is reported, under a name of its own, and dispose frees all', async () => {
      const tensors = tf.memory().numTensors;
      const backbone = make();
      const made = tf.memory().numTensors - tensors;
      const parameters = backbone.namedParameters('body.');
      for (const key of parameters.keys()) assert(key.startsWith('body.'), `'${key}' lost its prefix`);
      const variables = new Set([...parameters.values()].map(({ variable }) => variable));
      assert(variables.size === parameters.size, 'a parameter has two names');
      assert(made <= parameters.size, `${made} tensors were made, but only ${parameters.size} parameters are reported`);
      const images = testImages(1, size);
      tf.dispose([images, [...backbone.forward(images, 'predict')]]);
      backbone.dispose();
      const left = tf.memory().numTensors - tensors;
      assert(left === 0, `${left} tensors are left after dispose`);
      await Promise.resolve();
    });

    if (!gradients) return;
    test('gradients reach every trainable parameter', () =>
      using(async (backbone) => {
        const parameters = trainableParameters(backbone);
        const images = testImages(2, size);
        const { loss, gradients: found } = await valueAndGradients(
          () => ({ loss: meanSquare(backbone.forward(images, 'train')) }),
          parameters,
        );
        for (const key of parameters.keys()) {
          const gradient = found.get(key);
          assert(gradient !== undefined, `no gradient reaches '${key}'`);
          const values = await gradient.data();
          assert(values.every(Number.isFinite), `the gradient of '${key}' is not finite`);
        }
        tf.dispose([images, loss, [...found.values()]]);
      }));
  });
}

/** Values in [-2, 2), the range of normalised images, from a fixed hash. */
function testImages(count: number, [height, width]: readonly [number, number]): tf.Tensor4D {
  const values = new Float32Array(count * height * width * 3);
  for (let i = 0; i < values.length; i++) values[i] = ((Math.imul(i + 1, 0x9e3779b1) >>> 8) / 2 ** 24) * 4 - 2;
  return tf.tensor4d(values, [count, height, width, 3]);
}

function meanSquare(maps: Pyramid): tf.Tensor {
  return tf.tidy(() => tf.addN(maps.map((map) => tf.mean(tf.square(map)))));
}

function assert(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`The contract of a backbone is broken: ${problem}.`);
}
