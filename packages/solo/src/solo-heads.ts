import { Conv2d, type ImageSize, Module, type Phase, type Pyramid, type Random, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { categoryLayer, RARE } from './category-branch.ts';
import { ConvTower, FIRST_WEIGHTS, type TowerOptions } from './conv-tower.ts';
import { type Axes, withCoordinates } from './coordinates.ts';
import type { HeadOutputs, LocationHead } from './head.ts';
import { type GridLevel, headMaps, LEVELS, sizeOf } from './levels.ts';
import { channelsOf, resizeRowMaps } from './pick.ts';

export interface SOLOHeadOptions {
  /** Background included. */
  readonly numClasses: number;
  /** Channels of the pyramid. Default 256. */
  readonly inChannels?: number | undefined;
  /** Width of every branch. Default 256. */
  readonly channels?: number | undefined;
  /** Convolutions of each. Default 7. */
  readonly depth?: number | undefined;
  /** Default the published five. */
  readonly levels?: readonly GridLevel[] | undefined;
  readonly random?: Random | undefined;
}

/** What the heads of the first paper share: their levels and the category branch, which sees features at S x S. */
abstract class FirstSOLOHead extends Module implements LocationHead {
  readonly numClasses: number;
  readonly levels: readonly GridLevel[];
  readonly sharedCells = 'last';
  protected readonly tower: TowerOptions;
  readonly #categoryTower: ConvTower;
  readonly #category: Conv2d;

  constructor({ numClasses, inChannels = 256, channels = 256, depth = 7, levels = LEVELS, random }: SOLOHeadOptions) {
    super();
    this.numClasses = numClasses;
    this.levels = levels;
    this.tower = { inChannels, channels, depth, random };
    this.#categoryTower = this.register('cls_convs', new ConvTower(this.tower));
    this.#category = this.register('conv_cls', categoryLayer(this.tower, numClasses));
  }

  isPredictor(name: string): boolean {
    return name.startsWith('conv_cls.');
  }

  abstract forward(features: Pyramid, phase?: Phase): HeadOutputs;

  protected categoriesOf(maps: readonly tf.Tensor4D[], phase: Phase | undefined): tf.Tensor4D[] {
    return maps.map((map, level) => {
      const { grid } = this.levels[level]!;
      return tf.tidy(() =>
        this.#category.forward(this.#categoryTower.forward(resizeBilinear(map, [grid, grid]), phase)),
      );
    });
  }
}

/** A tower that knows where its cells are, and for each level a layer that draws its masks at twice the size. */
class MaskTower {
  readonly tower: ConvTower;
  readonly layers: readonly Conv2d[];
  readonly #axes: Axes;

  constructor(axes: Axes, options: TowerOptions, channels: readonly number[], kernelSize: number) {
    const { inChannels, channels: width, random } = options;
    this.#axes = axes;
    this.tower = new ConvTower({ ...options, inChannels: inChannels + axes.length });
    const settings = { kernelSize, initialiser: FIRST_WEIGHTS, biasInitialiser: RARE, random };
    this.layers = channels.map((count) => new Conv2d(width, count, settings));
  }

  /** `[N, H, W, C]` of a level to logits `[N, 2H, 2W, channels of the level]`. */
  forward(map: tf.Tensor4D, level: number, phase: Phase | undefined): tf.Tensor4D {
    return tf.tidy(() => {
      const [height, width] = sizeOf(map);
      const features = this.tower.forward(withCoordinates(map, this.#axes), phase);
      return this.layers[level]!.forward(resizeBilinear(features, [2 * height, 2 * width]));
    });
  }
}

/**
 * The heads of SOLO: a channel of each level's maps for each cell of its grid.
 * @see Wang et al. 2019, section 3 (arXiv:1912.04488)
 */
export class SOLOHead extends FirstSOLOHead {
  readonly #masks: MaskTower;

  constructor(options: SOLOHeadOptions) {
    super(options);
    const cells = this.levels.map(({ grid }) => grid * grid);
    this.#masks = new MaskTower('xy', this.tower, cells, 1);
    this.register('mask_convs', this.#masks.tower);
    this.#masks.layers.forEach((layer, i) => this.register(`conv_mask_list.${i}`, layer));
  }

  forward(features: Pyramid, phase?: Phase): HeadOutputs {
    const { categories, logits } = tf.tidy(() => {
      const maps = headMaps(features);
      const logits = maps.map((map, level) => this.#masks.forward(map, level, phase));
      return { categories: this.categoriesOf(maps, phase), logits };
    });
    const maskSizes = logits.map(sizeOf);
    return {
      categories,
      maskSizes,
      masks: (image, level, cells, size) =>
        tf.tidy(() => resizeRowMaps(tf.sigmoid(channelsOf(logits[level]!, image, cells)), maskSizes[level]!, size)),
      dispose: () => tf.dispose([categories, logits]),
    };
  }
}

/**
 * The heads of decoupled SOLO: a channel for each column and one for each row; the mask of a cell is the product of its
 * two.
 * @see Wang et al. 2019, section 5 (arXiv:1912.04488)
 */
export class DecoupledSOLOHead extends FirstSOLOHead {
  readonly #columns: MaskTower;
  readonly #rows: MaskTower;

  constructor(options: SOLOHeadOptions) {
    super(options);
    const grids = this.levels.map(({ grid }) => grid);
    this.#columns = new MaskTower('x', this.tower, grids, 3);
    this.#rows = new MaskTower('y', this.tower, grids, 3);
    for (const [axis, { tower, layers }] of [
      ['x', this.#columns],
      ['y', this.#rows],
    ] as const) {
      // biome-ignore format: one line
      this.register(`mask_convs_${axis}`, tower);
      layers.forEach((layer, i) => this.register(`conv_mask_list_${axis}.${i}`, layer));
    }
  }

  forward(features: Pyramid, phase?: Phase): HeadOutputs {
    const { categories, columns, rows } = tf.tidy(() => {
      const maps = headMaps(features);
      const columns = maps.map((map, level) => this.#columns.forward(map, level, phase));
      const rows = maps.map((map, level) => this.#rows.forward(map, level, phase));
      return { categories: this.categoriesOf(maps, phase), columns, rows };
    });
    const maskSizes = columns.map(sizeOf);
    const half = (maps: tf.Tensor4D, image: number, level: number, picks: Int32Array, size: ImageSize | undefined) =>
      resizeRowMaps(tf.sigmoid(channelsOf(maps, image, picks)), maskSizes[level]!, size);
    return {
      categories,
      maskSizes,
      masks: (image, level, cells, size) =>
        tf.tidy(() => {
          const { grid } = this.levels[level]!;
          const across = half(
            columns[level]!,
            image,
            level,
            cells.map((cell) => cell % grid),
            size,
          );
          const down = half(
            rows[level]!,
            image,
            level,
            cells.map((cell) => Math.floor(cell / grid)),
            size,
          );
          return tf.mul(across, down);
        }),
      dispose: () => tf.dispose([categories, columns, rows]),
    };
  }
}
