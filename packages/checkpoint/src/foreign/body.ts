import type { InputSpec } from '@rcnn/core';
import type { Program } from '../programs/program.ts';
import { decodeFloats } from '../state-dict/decode.ts';
import type { TensorSource } from '../tensor-source.ts';
import { type ConfigNode, configAt, configNodeAt, configNumbers, nodesBelow } from './config-text.ts';

/** Whose pixels a body was trained on: Caffe's (BGR, 0 to 255, stride in the 1x1) or PyTorch's (RGB, 3x3). */
export type BodyStyle = 'caffe' | 'pytorch';

/** What images a body wants, for pixels of 0 to 255, as both programs write them. */
interface Pixels {
  readonly order: InputSpec['channelOrder'];
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What a file says of its body. */
interface Said {
  readonly pixels?: SaidPixels;
  readonly style?: BodyStyle | undefined;
}

/** Numbers may leave the order open, and still make one of the two likely. */
interface SaidPixels extends Omit<Pixels, 'order'> {
  readonly order?: Pixels['order'] | undefined;
  readonly likelyOrder?: Pixels['order'] | undefined;
}

/** How a profile has to be for a body. */
export interface BodyOfFile {
  readonly strideIn: '1x1' | '3x3';
  readonly input: Pick<InputSpec, 'channelOrder' | 'mean' | 'std'>;
  /** What the file did not say and was taken for granted, in a sentence. */
  readonly assumed: string | undefined;
}

/** Means and spreads of ImageNet. */
const PIXELS: Readonly<Record<BodyStyle | 'resnext', Pixels>> = {
  caffe: { order: 'bgr', mean: [103.53, 116.28, 123.675], std: [1, 1, 1] },
  pytorch: { order: 'rgb', mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] },
  // detectron2's ResNeXt bodies: BGR, but spread like PyTorch's.
  resnext: { order: 'bgr', mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
};

export interface BodyRequest {
  readonly program: Program;
  /** The config that the file carries. */
  readonly config: ConfigNode | undefined;
  readonly isGrouped: boolean;
  /** Goes before what the file says of the stride, and fills in what it does not say of the pixels. */
  readonly style?: BodyStyle | undefined;
}

/**
 * What images a body wants and where it strides: what the file says, else the style that was given, else what its program
 * has by default. The numbers of the file go before a style, because the weights were trained with them.
 */
export async function bodyOfFile(
  model: TensorSource,
  { program, config, isGrouped, style: given }: BodyRequest,
): Promise<BodyOfFile> {
  const said = program === 'detectron2' ? await saidByTensors(model) : saidByConfig(config);
  const isResNeXt = program === 'detectron2' && isGrouped;
  // Every ResNeXt that detectron2 publishes strides in the 3x3.
  const style = given ?? (isResNeXt ? 'pytorch' : (said.style ?? 'caffe'));
  const usual = PIXELS[isResNeXt && given === undefined ? 'resnext' : style];
  const { mean, std } = said.pixels ?? usual;
  const likely = given === undefined ? said.pixels?.likelyOrder : undefined;
  const channelOrder = said.pixels?.order ?? likely ?? usual.order;
  const strideIn = style === 'caffe' ? '1x1' : '3x3';
  return {
    strideIn,
    input: { channelOrder, mean: share(mean), std: share(std) },
    assumed: given === undefined ? assumption(said, channelOrder, strideIn) : undefined,
  };
}

function assumption(said: Said, order: Pixels['order'], strideIn: BodyOfFile['strideIn']): string | undefined {
  const { pixels, style } = said;
  const [images, stride] = [`${order.toUpperCase()} images`, `the stride in the ${strideIn}`];
  if (pixels === undefined && style === undefined)
    return `the file does not say how its body was trained: taken for ${strideIn === '1x1' ? 'caffe' : 'pytorch'} style (${images}, ${stride})`;
  if (pixels !== undefined && pixels.order === undefined)
    return `the file does not say in which order its channels are: taken for ${images} with ${stride}`;
  return style === undefined ? `the file does not say where its body strides: taken for ${stride}` : undefined;
}

function share(values: readonly number[]): [number, number, number] {
  return [values[0]! / 255, values[1]! / 255, values[2]! / 255];
}

/**
 * detectron2 keeps mean and spread as tensors, in the order of the channels: that of ImageNet's means is known. Its bodies
 * from Caffe2 have BGR images with a spread of 1, and only those stride in the 1x1.
 */
async function saidByTensors(model: TensorSource): Promise<Said> {
  const mean = await threeNumbers(model, 'pixel_mean');
  const std = await threeNumbers(model, 'pixel_std');
  if (mean === undefined || std === undefined || !isSpread(std)) return {};
  const order = isNear(mean, PIXELS.pytorch.mean) ? 'rgb' : isNear(mean, PIXELS.caffe.mean) ? 'bgr' : undefined;
  const likelyOrder = orderByBrightness(mean);
  const style = styleOfSpread(std);
  // RGB with a spread of 1 is of nobody's recipe: where such a body strides is not known.
  const isOdd = likelyOrder === 'rgb' && style === 'caffe';
  return { pixels: { order, likelyOrder, mean, std }, style: isOdd ? undefined : style };
}

/** Most photographs have brighter reds than blues; those taken under water, for one, do not. */
function orderByBrightness([first = 0, , last = 0]: readonly number[]): Pixels['order'] | undefined {
  if (first === last) return undefined;
  return first > last ? 'rgb' : 'bgr';
}

/** Within a step of a pixel's value: people round these numbers in several ways. */
function isNear(mean: readonly number[], known: readonly number[]): boolean {
  return mean.every((value, i) => Math.abs(value - known[i]!) < 1);
}

function isSpread(std: readonly number[]): boolean {
  return std.every((value) => value > 0);
}

function styleOfSpread(std: readonly number[]): BodyStyle {
  return std.every((value) => value === 1) ? 'caffe' : 'pytorch';
}

/** mmdetection keeps the whole config. Its ResNets have PyTorch's style where nothing else is written. */
function saidByConfig(config: ConfigNode | undefined): Said {
  if (config === undefined) return {};
  const pixels = pixelsOfConfig(config);
  const body = configNodeAt(config, 'model', 'backbone') ?? configNodeAt(config, 'backbone') ?? config;
  const written = configAt(body, 'style');
  const unwritten = body === config ? pixels && styleOfSpread(pixels.std) : 'pytorch';
  const style = written === 'caffe' || written === 'pytorch' ? written : unwritten;
  return { ...(pixels && { pixels }), style };
}

/** Of mmdetection 3 on the model itself, before in the steps that prepare an image, or by the name that these take it from. */
function pixelsOfConfig(config: ConfigNode): Pixels | undefined {
  const ofModel = configNodeAt(config, 'model', 'data_preprocessor') ?? configNodeAt(config, 'data_preprocessor');
  if (ofModel !== undefined) {
    const isTurned = [configAt(ofModel, 'bgr_to_rgb'), configAt(ofModel, 'rgb_to_bgr')].includes(true);
    return pixelsOf(ofModel, isTurned);
  }
  const steps = [...nodesBelow(config)].filter((node) => configAt(node, 'type') === 'Normalize');
  const norms = [...steps, configNodeAt(config, 'img_norm_cfg')].filter((node) => node !== undefined);
  const norm = norms.find((node) => pixelsOf(node, false) !== undefined);
  return norm && pixelsOf(norm, configAt(norm, 'to_rgb') !== false); // turned unless it says not to
}

/** @param isRGB whether the channels are turned around after the file is read, which gives them as BGR */
function pixelsOf(norm: ConfigNode, isRGB: boolean): Pixels | undefined {
  const mean = configNumbers(configAt(norm, 'mean'));
  const std = configNumbers(configAt(norm, 'std'));
  if (mean?.length !== 3 || std?.length !== 3 || !isSpread(std)) return undefined;
  return { order: isRGB ? 'rgb' : 'bgr', mean, std };
}

/** Three numbers of a tensor, where the file has it. */
async function threeNumbers({ tensors }: TensorSource, name: string): Promise<readonly number[] | undefined> {
  const entry = tensors.get(name);
  if (entry === undefined || entry.byteLength > 1024) return undefined;
  const values = decodeFloats(await entry.read(), entry.dtype);
  return values?.length === 3 && values.every((value) => Number.isFinite(value)) ? [...values] : undefined;
}
