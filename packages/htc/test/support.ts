import { firstInOrderSampler } from '@rcnn/boxes';
import { loadStateDict, memoryEntry, memorySource, stateDict, type TensorSource } from '@rcnn/checkpoint';
import { Conv2d, type ImageSize, Parameter, type Pyramid, Random, type Target } from '@rcnn/core';
import { Fixture } from '@rcnn/fixtures';
import { Mask } from '@rcnn/masks';
import { MultiScaleRoIAlign } from '@rcnn/roi-align';
import { FastRCNNPredictor, MaskRCNNHeads, MaskRCNNPredictor, TwoFCHead } from '@rcnn/roi-heads';
import * as tf from '@tensorflow/tfjs-core';
import { HTCHeads, type HTCHeadsOptions, type MaskCascade, SemanticBranch } from '../src/index.ts';

export const read = (name: string): Promise<Fixture> =>
  Fixture.read(new URL(`fixtures/${name}.safetensors`, import.meta.url));

export const LEVELS = ['p2', 'p3', 'p4', 'p5', 'p6'] as const;
export const SIZES: readonly ImageSize[] = [
  [128, 160],
  [120, 150],
];

/** mmdetection's names as ours. */
export function ownName(name: string): string {
  return name
    .replace('roi_head.', '')
    .replace(/^bbox_head\.(\d)\.shared_fcs\.0/, 'box_head.$1.fc6')
    .replace(/^bbox_head\.(\d)\.shared_fcs\.1/, 'box_head.$1.fc7')
    .replace(/^bbox_head\.(\d)\.fc_cls/, 'box_predictor.$1.cls_score')
    .replace(/^bbox_head\.(\d)\.fc_reg/, 'box_predictor.$1.bbox_pred')
    .replace(/^mask_head\.(\d)\.convs\.(\d)\.conv/, 'mask_head.$1.$2.0')
    .replace(/^mask_head\.(\d)\.conv_res\.conv/, 'mask_flow.$1')
    .replace(/^mask_head\.(\d)\.upsample/, 'mask_predictor.$1.conv5_mask')
    .replace(/^mask_head\.(\d)\.conv_logits/, 'mask_predictor.$1.mask_fcn_logits');
}

/** Values of a tensor by mmdetection, whose background is last, or left out of masks, in our order. */
export function backgroundFirst(
  name: string,
  values: Float32Array<ArrayBuffer>,
  rows: number,
): Float32Array<ArrayBuffer> {
  const width = values.length / rows;
  if (name.includes('cls_score')) return Float32Array.from([...values.subarray(-width), ...values.subarray(0, -width)]);
  return name.includes('mask_fcn_logits') ? Float32Array.from([...new Float32Array(width), ...values]) : values;
}

async function weightsOf(fixture: Fixture): Promise<TensorSource> {
  const entries = [...fixture.weights(ownName).tensors.values()].map(async (entry) => {
    const { buffer, byteOffset, byteLength } = await entry.read();
    const [rows = 1, ...rest] = entry.shape;
    const values = backgroundFirst(entry.name, new Float32Array(buffer, byteOffset, byteLength / 4), rows);
    const shape = [rows + (entry.name.includes('mask_fcn_logits') ? 1 : 0), ...rest];
    return memoryEntry(entry.name, 'float32', shape, values);
  });
  return memorySource(await Promise.all(entries), 'weights with the background first');
}

export interface Shape {
  readonly semantic: boolean;
  readonly flow: boolean;
  readonly classes?: number;
}

/** The second stage of the fixtures: 16 channels, five classes of objects and seven of places. */
export function smallHeads({ semantic, flow, classes = 6 }: Shape, options: HTCHeadsOptions = {}): HTCHeads {
  const random = new Random(5);
  const pool = (outputSize: number) => new MultiScaleRoIAlign({ outputSize, aligned: true, samplingRatio: 0 });
  const boxes = [0, 1, 2].map(() => ({
    head: new TwoFCHead({ inChannels: 16, outFeatures: 64, random }),
    predictor: new FastRCNNPredictor(64, classes, { classAgnostic: true, random }),
  }));
  const branch = semantic ? new SemanticBranch({ inChannels: 16, numClasses: 7, random }) : undefined;
  const parts = { boxPool: pool(7), boxes, maskPool: pool(14), masks: maskStages(flow, classes), semantic: branch };
  const boxSampler = firstInOrderSampler({ batchSize: 32, positiveFraction: 0.25 });
  return new HTCHeads(parts, { boxSampler, boxScoreThresh: 0.05, boxDetectionsPerImg: 12, ...options });
}

export function maskStages(flow: boolean, classes = 6) {
  const random = new Random(6);
  return [0, 1, 2].map((k) => ({
    head: new MaskRCNNHeads({ inChannels: 16, channels: [16, 16, 16, 16], random }),
    predictor: new MaskRCNNPredictor(16, classes, { channels: 16, random }),
    flow: flow && k > 0 ? new Conv2d(16, 16, { kernelSize: 1, activation: 'relu', random }) : undefined,
  }));
}

export async function load<T extends HTCHeads | MaskCascade | SemanticBranch>(owner: T, fixture: Fixture): Promise<T> {
  const prefix = owner instanceof SemanticBranch ? 'semantic_head.' : '';
  const { tensors } = await weightsOf(fixture);
  const own = owner.namedParameters(); // a cascade without flow does not use all that its file has
  const entries = [...tensors.values()]
    .map((entry) => ({ ...entry, name: entry.name.replace(prefix, '') }))
    .filter(({ name }) => own.has(name));
  await loadStateDict(owner, memorySource(entries, 'weights'));
  return owner;
}

/** A stored `[N, C, H, W]` as ours. */
export function mapOf(fixture: Fixture, name: string): tf.Tensor4D {
  const shape = fixture.shape(name) as [number, number, number, number];
  return tf.tidy(() => tf.transpose(tf.tensor4d(fixture.floats(name), shape), [0, 2, 3, 1]));
}

export const pyramidOf = (fixture: Fixture): Pyramid => LEVELS.map((level) => mapOf(fixture, `features.${level}`));

export function targetOf(fixture: Fixture, image: number): Target {
  const at = `targets.${image}`;
  const [count, height, width] = fixture.shape(`${at}.masks`) as [number, number, number];
  const pixels = fixture.integers(`${at}.masks`) as unknown as Uint8Array;
  const area = height * width;
  return {
    boxes: fixture.floats(`${at}.boxes`),
    labels: fixture.integers(`${at}.labels`).map((label) => label + 1),
    masks: Array.from({ length: count }, (_, k) =>
      Mask.fromBitmap(pixels.slice(k * area, (k + 1) * area), [height, width]),
    ),
  };
}

/** Gradients by our names, in PyTorch's order and mmdetection's order of classes. */
export async function stored(
  gradients: ReadonlyMap<string, tf.Tensor>,
  parameters: ReadonlyMap<string, Parameter>,
): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  const copies = [...gradients].map(([name, gradient]): [string, Parameter] => {
    return [name, new Parameter(tf.clone(gradient), { layout: parameters.get(name)!.layout })];
  });
  const entries = await stateDict({ namedParameters: () => new Map(copies) });
  for (const [name, entry] of entries) {
    const { buffer, byteOffset, byteLength } = await entry.read();
    const values = new Float32Array(buffer, byteOffset, byteLength / 4);
    found.set(name, backgroundLast(name, values, entry.shape[0]!));
  }
  for (const [, copy] of copies) copy.dispose();
  return found;
}

function backgroundLast(name: string, values: Float32Array, rows: number): Float32Array {
  const width = values.length / rows;
  if (name.includes('cls_score')) return Float32Array.from([...values.subarray(width), ...values.subarray(0, width)]);
  return name.includes('mask_fcn_logits') ? values.slice(width) : values;
}
