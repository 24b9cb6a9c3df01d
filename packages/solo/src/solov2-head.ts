import { Conv2d, Module, type Phase, type Pyramid, resizeBilinear } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { categoryLayer } from './category-branch.ts';
import { ConvTower, FIRST_WEIGHTS, type LayerOptions } from './conv-tower.ts';
import { coordinates } from './coordinates.ts';
import type { HeadOutputs, LocationHead } from './head.ts';
import { type GridLevel, headMaps, LEVELS, sizeOf } from './levels.ts';
import { MaskFeatureBranch } from './mask-feature-branch.ts';
import { imageOf, oneHotRows, resizeRowMaps } from './pick.ts';

export interface SOLOv2HeadOptions extends LayerOptions {
  /** Background included. */
  readonly numClasses: number;
  /** Channels of the pyramid. Default 256. */
  readonly inChannels?: number | undefined;
  /** Width of the category and kernel branches. Default 512. */
  readonly channels?: number | undefined;
  /** Convolutions of each of them. Default 4. */
  readonly depth?: number | undefined;
  /** Width of the mask feature branch. Default 128. */
  readonly maskChannels?: number | undefined;
  /** Channels of the mask features, and so length of a cell's kernel. Default 256. */
  readonly kernelLength?: number | undefined;
  /** Default the published five. */
  readonly levels?: readonly GridLevel[] | undefined;
}

/**
 * The heads of SOLOv2: each cell says what is there, and gives a kernel of 1x1 that draws its mask on one map of features
 * for the whole image. Parameters have the names of mmdetection's `mask_head`.
 * @see Wang et al. 2020 (arXiv:2003.10152)
 */
export class SOLOv2Head extends Module implements LocationHead {
  readonly numClasses: number;
  readonly levels: readonly GridLevel[];
  readonly sharedCells = 'both';
  readonly #categoryTower: ConvTower;
  readonly #category: Conv2d;
  readonly #kernelTower: ConvTower;
  readonly #kernel: Conv2d;
  readonly #maskFeatures: MaskFeatureBranch;

  constructor(options: SOLOv2HeadOptions) {
    super();
    const { numClasses, inChannels = 256, channels = 512, depth = 4, maskChannels = 128 } = options;
    const { kernelLength = 256, levels = LEVELS, groups, initialiser, random } = options;
    const ofLayers = { groups, initialiser, random };
    this.numClasses = numClasses;
    this.levels = levels;
    const tower = { ...ofLayers, inChannels, channels, depth };
    const last = { kernelSize: 3, initialiser: FIRST_WEIGHTS, random };
    this.#categoryTower = this.register('cls_convs', new ConvTower(tower));
    this.#category = this.register('conv_cls', categoryLayer(tower, numClasses));
    this.#kernelTower = this.register('kernel_convs', new ConvTower({ ...tower, inChannels: inChannels + 2 }));
    this.#kernel = this.register('conv_kernel', new Conv2d(channels, kernelLength, last));
    const branch = { ...ofLayers, inChannels, channels: maskChannels, outChannels: kernelLength };
    this.#maskFeatures = this.register('mask_feature_head', new MaskFeatureBranch(branch));
  }

  isPredictor(name: string): boolean {
    return name.startsWith('conv_cls.');
  }

  forward(features: Pyramid, phase?: Phase): HeadOutputs {
    const { categories, kernels, rows } = tf.tidy(() => {
      const cells = headMaps(features).map((map, level) => this.#forwardLevel(map, level, phase));
      const maps = this.#maskFeatures.forward(features, phase);
      return {
        categories: cells.map(({ category }) => category),
        kernels: cells.map(({ kernel }) => kernel),
        rows: Array.from({ length: maps.shape[0] }, (_, image) => imageOf(maps, image)), // [cells, length of a kernel]
      };
    });
    const size = sizeOf(features[0]!);
    return {
      categories,
      maskSizes: this.levels.map(() => size),
      masks: (image, level, cells, wanted) =>
        tf.tidy(() => {
          const all = imageOf(kernels[level]!, image);
          const picked: tf.Tensor2D = tf.matMul(oneHotRows(cells, all.shape[0]), all); // [R, length of a kernel]
          const masks = tf.sigmoid(tf.matMul<tf.Tensor2D>(picked, rows[image]!, false, true));
          return resizeRowMaps(masks, size, wanted);
        }),
      dispose: () => tf.dispose([categories, kernels, rows]),
    };
  }

  #forwardLevel(map: tf.Tensor4D, level: number, phase: Phase | undefined) {
    return tf.tidy(() => {
      const { grid } = this.levels[level]!;
      const cells = resizeBilinear(map, [grid, grid]);
      const places = resizeBilinear(coordinates(map.shape), [grid, grid]);
      const category = this.#category.forward(this.#categoryTower.forward(cells, phase));
      const kernel = this.#kernel.forward(this.#kernelTower.forward(tf.concat([cells, places], 3), phase));
      return { category, kernel };
    });
  }
}
