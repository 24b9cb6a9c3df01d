import '@tensorflow/tfjs-backend-cpu';
import { type Detector, Parameter } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { LetterboxTransform } from '../src/index.ts';
import { describeDetector } from '../src/testing.ts';
import { ToyDetector } from './toy-detector.ts';

const runner = { describe, test };

describeDetector('a toy', () => new ToyDetector(), runner);
describeDetector('a toy behind a letterbox', () => new ToyDetector(new LetterboxTransform({ size: [16, 16] })), runner);
describe('the contract sees what is wrong', () => {
  /** Runs the contract on a detector and gives the tests that fail. */
  async function failures(make: () => Detector): Promise<string[]> {
    const failed: string[] = [];
    const runs: [string, () => Promise<void>][] = [];
    const runner = { describe: (_: string, body: () => void) => body(), test: (title: string, body: () => Promise<void>) => runs.push([title, body]) }; // biome-ignore format: one line
    describeDetector('it', make, runner, { sizes: [[16, 20], [18, 14]] }); // biome-ignore format: one line
    for (const [name, body] of runs) await body().catch(() => failed.push(name));
    return failed;
  }

  const broken = (change: (toy: ToyDetector) => Partial<Detector>) => () => {
    const toy = new ToyDetector();
    return Object.assign(toy, change(toy));
  };

  test.each<[string, () => Detector, string]>([
    [
      'a tensor kept',
      broken((toy) => {
        const { detect } = toy;
        return { detect: (...call) => (tf.zeros([1]), detect.apply(toy, call)) };
      }),
      'no tensor is kept, by detecting or by losses',
    ],
    [
      'boxes outside of the image',
      broken((toy) => {
        const { detect } = toy;
        return { detect: async (...call) => (await detect.apply(toy, call)).map((found) => found.map((one) => ({ ...one, box: [-5, 0, 1, 1] as const }))) }; // biome-ignore format: one line
      }),
      'it finds what it says, inside each image, best first',
    ],
    [
      'nothing found at all',
      broken(() => ({ detect: async (images) => images.map(() => []) })),
      'it finds what it says, inside each image, best first',
    ],
    [
      'a parameter that no loss depends on',
      () => {
        const toy = new ToyDetector();
        const lonely = new Parameter(tf.zeros([2]));
        const { namedParameters, dispose } = toy;
        return Object.assign(toy, {
          namedParameters: (prefix = '') => namedParameters.call(toy, prefix).set(`${prefix}lonely`, lonely),
          dispose: () => {
            lonely.dispose();
            dispose.call(toy);
          },
        });
      },
      'gradients reach every trainable parameter, and a step leaves nothing',
    ],
    [
      'another answer the second time',
      broken((toy) => {
        let calls = 0;
        const { detect } = toy;
        return { detect: async (...call) => (await detect.apply(toy, call)).map((found) => found.map((one) => ({ ...one, score: one.score / ++calls }))) }; // biome-ignore format: one line
      }),
      'predicting twice gives the same, and changes no parameter',
    ],
    [
      'targets that nobody checks',
      broken(() => ({ losses: async () => ({ loss: tf.scalar(0) }) })),
      'bad input is refused with a code, and nothing is left behind',
    ],
  ])('%s', async (_, make, expected) => {
    expect(await failures(make)).toContain(expected);
  });

  test('and nothing in a toy that is right', async () => {
    expect(await failures(() => new ToyDetector())).toEqual([]);
  });
});
