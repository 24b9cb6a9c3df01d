import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { Program } from '../programs/program.ts';
import { decodeFloats } from '../state-dict/decode.ts';
import type { TensorSource } from '../tensor-source.ts';
import { type ConfigNode, type ConfigValue, configAt, configNodeAt, configNumbers } from './config-text.ts';

const RATIOS = [0.5, 1, 2];
const STRIDES = [4, 8, 16, 32, 64];
/** What both programs have by default: one on each level of a pyramid, all of them on a map alone. */
const SIZES = [32, 64, 128, 256, 512];

export interface AnchorRequest {
  readonly program: Program;
  /** The config that the file carries. */
  readonly config: ConfigNode | undefined;
  readonly hasPyramid: boolean;
}

/**
 * Sides of the anchors on each level, in pixels, where a file says that they are not the usual ones. Weights find nothing
 * with other anchors than those that they were trained with, and the tensors of a model have the same shapes with any.
 * @throws CHECKPOINT_MISMATCH for anchors that ours cannot have
 */
export async function anchorSizesOf(
  model: TensorSource,
  { program, config, hasPyramid }: AnchorRequest,
): Promise<readonly number[] | undefined> {
  const sizes = program === 'detectron2' ? await sizesOfCells(model, hasPyramid) : sizesOfConfig(config, model.name);
  return sizes === undefined || areClose(sizes, SIZES) ? undefined : sizes;
}

/** detectron2 may keep the anchors around the first cell of each level: `[A, 4]`. */
async function sizesOfCells(model: TensorSource, hasPyramid: boolean): Promise<readonly number[] | undefined> {
  const levels = [...model.tensors.values()].filter(({ name }) => /anchor_generator\.cell_anchors\.\d+$/.test(name));
  if (levels.length === 0) return undefined;
  const refuse = (level: string, found: string): never => refuseAnchors(model.name, level, found);
  if (levels.length !== (hasPyramid ? STRIDES.length : 1))
    refuse(levels[0]!.name, `anchors on ${levels.length} levels`);
  const sizes: number[] = [];
  for (const { name, dtype, shape, byteLength, read } of levels) {
    if (byteLength > 1024) refuse(name, `anchors of the shape [${shape.join(', ')}]`);
    const corners = [...(decodeFloats(await read(), dtype) ?? [])];
    // The square one tells the size; where sizes are several, each has its ratios behind each other.
    const found = Array.from({ length: corners.length / 4 / RATIOS.length }, (_, i) => sideOf(corners, 3 * i + 1));
    const isOurs = hasPyramid ? found.length === 1 : areClose(found, SIZES);
    if (!isOurs || !areClose(corners, found.flatMap(cellAnchors))) refuse(name, `anchors ${shown(corners)}`);
    sizes.push(...found);
  }
  return sizes;
}

function sideOf(corners: readonly number[], anchor: number): number {
  return corners[4 * anchor + 2]! - corners[4 * anchor]!;
}

/** The corners of anchors of one size in the usual shapes. */
function cellAnchors(size: number): number[] {
  return RATIOS.flatMap((ratio) => {
    const [x, y] = [size / Math.sqrt(ratio) / 2, (size * Math.sqrt(ratio)) / 2];
    return [-x, -y, x, y];
  });
}

/** mmdetection writes sizes as multiples of the strides. */
function sizesOfConfig(config: ConfigNode | undefined, where: string): readonly number[] | undefined {
  const generator = config && configNodeAt(config, 'model', 'rpn_head', 'anchor_generator');
  if (generator === undefined) return undefined;
  const scale = scaleOf(generator);
  const strides = configNumbers(configAt(generator, 'strides')) ?? [];
  const ratios = configNumbers(configAt(generator, 'ratios')) ?? [];
  const sizes = configNumbers(configAt(generator, 'base_sizes')) ?? strides;
  const isUsual =
    isIn(configAt(generator, 'type'), [undefined, 'AnchorGenerator', 'mmdet.AnchorGenerator']) &&
    isIn(configAt(generator, 'center_offset'), [undefined, 0]);
  if (!isUsual || scale === undefined || !areClose(strides, STRIDES) || !areClose(ratios, RATIOS)) {
    refuseAnchors(where, 'model.rpn_head.anchor_generator', describe(generator));
  }
  if (sizes.length !== STRIDES.length) refuseAnchors(where, 'model.rpn_head.anchor_generator', describe(generator));
  return sizes.map((size) => size * scale);
}

/** The one scale of a generator; undefined where it has several, or none. */
function scaleOf(generator: ConfigNode): number | undefined {
  const scales = configNumbers(configAt(generator, 'scales'));
  if (scales !== undefined) return scales.length === 1 ? scales[0] : undefined;
  const octave = configAt(generator, 'octave_base_scale');
  return typeof octave === 'number' && configAt(generator, 'scales_per_octave') === 1 ? octave : undefined;
}

function isIn(value: ConfigValue | undefined, allowed: readonly (ConfigValue | undefined)[]): boolean {
  return allowed.includes(value);
}

/** The options of a generator as they are written. */
function describe({ fields }: ConfigNode): string {
  return [...fields].map(([name, value]) => `${quoteName(name)}: ${valueText(value)}`).join(', ');
}

function valueText(value: ConfigValue): string {
  const numbers = configNumbers(value);
  if (numbers !== undefined) return shown(numbers);
  return typeof value === 'string' ? quoteName(value) : typeof value === 'object' ? '…' : String(value);
}

function shown(numbers: readonly number[]): string {
  const first = numbers.slice(0, 12).map((value) => Math.round(value * 100) / 100);
  return `[${first.join(', ')}${numbers.length > first.length ? ', …' : ''}]`;
}

function areClose(found: readonly number[], expected: readonly number[]): boolean {
  return (
    found.length === expected.length &&
    found.every((value, i) => Math.abs(value - expected[i]!) <= 1e-3 * Math.abs(expected[i]!))
  );
}

function refuseAnchors(where: string, place: string, found: string): never {
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where,
    place: quoteName(place),
    problem: 'the model was trained with anchors that ours cannot have',
    found,
    expected: `on a pyramid one size on each of ${STRIDES.length} levels with strides ${STRIDES.join(', ')}, on one map the sizes ${SIZES.join(', ')}; ratios ${RATIOS.join(', ')}`,
  });
}
