import type { Target } from '@rcnn/core';
import { Fixture } from '@rcnn/fixtures';
import * as tf from '@tensorflow/tfjs-core';
import { DecoupledSOLOHead, gridLevels, type LocationHead, ownName, SOLOHead, SOLOv2Head } from '../../src/index.ts';

export const readFixture = (name: string): Promise<Fixture> =>
  Fixture.read(new URL(`../fixtures/${name}.safetensors`, import.meta.url));

/** What the fixtures' models have: a quarter of the published sizes. */
export const SMALL_LEVELS = gridLevels(
  [10, 9, 6, 4, 3],
  [
    [1, 24],
    [12, 48],
    [24, 96],
    [48, 192],
    [96, 512],
  ],
);

export const SELECT = { cellThreshold: 0.55, candidates: 80, scoreThreshold: 0.05, detectionsPerImage: 30 } as const;

export type Kind = 'solo' | 'decoupled' | 'solov2';

export function headOf(kind: Kind, inChannels: number): LocationHead {
  const common = { numClasses: 6, inChannels, channels: 64, depth: 2, levels: SMALL_LEVELS };
  if (kind === 'solov2') return new SOLOv2Head({ ...common, maskChannels: 64, kernelLength: 64 });
  return kind === 'solo' ? new SOLOHead(common) : new DecoupledSOLOHead(common);
}

/** The name inside of the head of a tensor of the authors' heads. */
export function nameInHead(name: string): string | undefined {
  const own = ownName(name);
  return own?.startsWith('mask_head.') ? own.slice('mask_head.'.length) : undefined;
}

/** A map that is stored `[N, C, H, W]`, as `[N, H, W, C]`. */
export function mapOf(fixture: Fixture, name: string): tf.Tensor4D {
  const shape = fixture.shape(name) as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
}

export const featuresOf = (fixture: Fixture): tf.Tensor4D[] =>
  ['p2', 'p3', 'p4', 'p5', 'p6'].map((level) => mapOf(fixture, `features.${level}`));

export const targetsOf = (fixture: Fixture): Target[] => [fixture.target(0), fixture.target(1)];
