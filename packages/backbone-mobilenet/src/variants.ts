import { RcnnError } from '@rcnn/core';

/** Networks by torchvision's names. */
export type MobileNetName = 'mobilenet_v2' | 'mobilenet_v3_large' | 'mobilenet_v3_small';

export type BlockActivation = 'relu' | 'relu6' | 'hardSwish';

/** One inverted residual block: widen by 1x1, filter every channel by itself, narrow by 1x1. */
export interface BlockShape {
  readonly kernelSize: 3 | 5;
  readonly inChannels: number;
  /** Channels in between. */
  readonly expanded: number;
  readonly outChannels: number;
  readonly stride: 1 | 2;
  readonly activation: BlockActivation;
  /** Channels of the squeeze-and-excitation in between; undefined where there is none. */
  readonly squeeze: number | undefined;
}

export interface MobileNetShape {
  /** What a block's parts are called: `conv` in V2, `block` in V3. */
  readonly parts: 'conv' | 'block';
  readonly stemChannels: number;
  readonly blocks: readonly BlockShape[];
  /** Of the 1x1 convolution after the blocks. */
  readonly lastChannels: number;
  /** Of the first and the last convolution. */
  readonly activation: BlockActivation;
  /** Of the norms of torchvision's classifiers. */
  readonly epsilon: number;
}

/** Expansion, channels, blocks, stride. @see Sandler et al. 2018, table 2 (arXiv:1801.04381) */
const V2 = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

type Row = readonly [
  kernelSize: 3 | 5,
  expanded: number,
  outChannels: number,
  squeezes: boolean,
  activation: BlockActivation,
  stride: 1 | 2,
];

/** @see Howard et al. 2019, table 1 (arXiv:1905.02244) */
const V3_LARGE: readonly Row[] = [
  [3, 16, 16, false, 'relu', 1],
  [3, 64, 24, false, 'relu', 2],
  [3, 72, 24, false, 'relu', 1],
  [5, 72, 40, true, 'relu', 2],
  [5, 120, 40, true, 'relu', 1],
  [5, 120, 40, true, 'relu', 1],
  [3, 240, 80, false, 'hardSwish', 2],
  [3, 200, 80, false, 'hardSwish', 1],
  [3, 184, 80, false, 'hardSwish', 1],
  [3, 184, 80, false, 'hardSwish', 1],
  [3, 480, 112, true, 'hardSwish', 1],
  [3, 672, 112, true, 'hardSwish', 1],
  [5, 672, 160, true, 'hardSwish', 2],
  [5, 960, 160, true, 'hardSwish', 1],
  [5, 960, 160, true, 'hardSwish', 1],
];

/** @see Howard et al. 2019, table 2 */
const V3_SMALL: readonly Row[] = [
  [3, 16, 16, true, 'relu', 2],
  [3, 72, 24, false, 'relu', 2],
  [3, 88, 24, false, 'relu', 1],
  [5, 96, 40, true, 'hardSwish', 2],
  [5, 240, 40, true, 'hardSwish', 1],
  [5, 240, 40, true, 'hardSwish', 1],
  [5, 120, 48, true, 'hardSwish', 1],
  [5, 144, 48, true, 'hardSwish', 1],
  [5, 288, 96, true, 'hardSwish', 2],
  [5, 576, 96, true, 'hardSwish', 1],
  [5, 576, 96, true, 'hardSwish', 1],
];

const SHAPES: Readonly<Record<MobileNetName, (width: number) => MobileNetShape>> = {
  mobilenet_v2: shapeOfV2,
  mobilenet_v3_large: (width) => shapeOfV3(V3_LARGE, width),
  mobilenet_v3_small: (width) => shapeOfV3(V3_SMALL, width),
};

/** The shape of a network of that name, its channels multiplied by `width`. @throws INVALID_ARGUMENT */
export function shapeOf(name: MobileNetName, width: number): MobileNetShape {
  const make = (SHAPES as Partial<typeof SHAPES>)[name];
  const where = 'MobileNet';
  if (make === undefined) {
    const expected = Object.keys(SHAPES).join(', ');
    throw new RcnnError('INVALID_ARGUMENT', {
      where,
      place: 'name',
      problem: 'there is no such MobileNet',
      found: name,
      expected,
    });
  }
  if (Number.isFinite(width) && width > 0) return make(width);
  throw new RcnnError('INVALID_ARGUMENT', {
    where,
    place: 'width',
    problem: 'not usable',
    found: String(width),
    expected: 'a number above 0',
  });
}

function shapeOfV2(width: number): MobileNetShape {
  const stemChannels = divisible(32 * width);
  const blocks: BlockShape[] = [];
  let inChannels = stemChannels;
  for (const [expansion, channels, count, stride] of V2) {
    const outChannels = divisible(channels * width);
    for (let i = 0; i < count; i++) {
      const expanded = inChannels * expansion;
      const shape = { kernelSize: 3, activation: 'relu6', squeeze: undefined } as const;
      blocks.push({ ...shape, inChannels, expanded, outChannels, stride: i === 0 ? stride : 1 });
      inChannels = outChannels;
    }
  }
  const lastChannels = divisible(1280 * Math.max(1, width));
  return { parts: 'conv', stemChannels, blocks, lastChannels, activation: 'relu6', epsilon: 1e-5 };
}

function shapeOfV3(rows: readonly Row[], width: number): MobileNetShape {
  const stemChannels = divisible(16 * width);
  let inChannels = stemChannels;
  const blocks = rows.map(([kernelSize, wide, out, squeezes, activation, stride]): BlockShape => {
    const [expanded, outChannels] = [divisible(wide * width), divisible(out * width)];
    const squeeze = squeezes ? divisible(Math.floor(expanded / 4)) : undefined;
    const block = { kernelSize, inChannels, expanded, outChannels, stride, activation, squeeze };
    inChannels = outChannels;
    return block;
  });
  const lastChannels = 6 * inChannels;
  return { parts: 'block', stemChannels, blocks, lastChannels, activation: 'hardSwish', epsilon: 1e-3 };
}

/** The nearest multiple of 8 that is no more than a tenth below. */
function divisible(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** How many stages a network has for `trainableStages`: one begins at each stride, and the last convolution is one. */
export const mobileNetStages = 6;

/**
 * Which of these networks a file's tensors are, at their usual width; undefined when they are none.
 * @param shapeAt shape of a tensor in PyTorch's layout, by the network's own name of it: `16.0.weight`
 */
export function mobileNetNameOf(shapeAt: (name: string) => readonly number[] | undefined): MobileNetName | undefined {
  return (Object.keys(SHAPES) as MobileNetName[]).find((name) => {
    const { parts, blocks, lastChannels } = shapeOf(name, 1);
    const last = shapeAt(`${blocks.length + 1}.0.weight`);
    return last?.[0] === lastChannels && shapeAt(`2.${parts}.0.0.weight`) !== undefined;
  });
}
