import { checkpointFile, stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { createLoader, type Dataset, type ShapesDatasetOptions, shapesDataset } from '@rcnn/coco-data';
import { Random } from '@rcnn/core';
import {
  AdamW,
  createSchedule,
  type Example,
  evaluateModel,
  groupParameters,
  runTraining,
  type Scores,
  type StepReport,
} from '@rcnn/train/loop';
import { type MaskRCNN, maskRcnnSmall, type RecipeOptions } from 'mask-rcnn';

/** Pictures to learn from, and others to be measured on. */
export interface TabData {
  readonly train: Dataset;
  readonly val: Dataset;
}

export interface TabTrainingOptions {
  readonly data: TabData;
  readonly steps: number;
  /** Pictures of a step. */
  readonly batchSize: number;
  /** Longer side at which the model sees a picture, in pixels. */
  readonly side: number;
  /** Default 0. */
  readonly seed?: number;
  /** What differs from the recipe `maskRcnnSmall`. */
  readonly model?: RecipeOptions;
}

/** A few shapes of middle size, nearly upright, some overlapping: scenes that a small network learns in minutes. */
const SCENE: ShapesDatasetOptions = { objects: [1, 3], radius: [0.12, 0.24], tiny: 0, turn: 0.3 };

/** Pictures of squares, circles, triangles and stars, drawn as they are needed. */
export function drawnShapes(counts: { readonly train: number; readonly val: number }, side: number, seed = 0): TabData {
  const size = [side, side] as const;
  return {
    train: shapesDataset(counts.train, { ...SCENE, size, seed }),
    val: shapesDataset(counts.val, { ...SCENE, size, seed, first: counts.train }),
  };
}

/**
 * A small Mask R-CNN and the pictures it learns from, on whatever engine is in use. Nothing here knows of a page, and
 * nothing of Node: a test runs it in both and compares the losses.
 */
export class TabTraining {
  readonly data: TabData;
  readonly model: MaskRCNN;
  readonly #options: TabTrainingOptions;

  constructor(options: TabTrainingOptions) {
    const { data, side, seed = 0 } = options;
    this.#options = options;
    this.data = data;
    this.model = maskRcnnSmall({
      numClasses: data.train.classes.numClasses,
      minSize: side,
      maxSize: side,
      random: new Random(seed).fork('weights'),
      ...options.model,
    });
  }

  /** Trains until all steps are done or `shouldStop` says so. */
  async run(onStep: (report: StepReport) => void | Promise<void>, shouldStop = (): boolean => false): Promise<void> {
    const { steps, seed = 0 } = this.#options;
    const batchSize = Math.min(this.#options.batchSize, this.data.train.length);
    const batches = (epoch: number, startIndex: number) =>
      createLoader(this.data.train, { batchSize, seed, epoch, startIndex, transform: 'hflip', dropLast: true });
    const batchesPerEpoch = batches(0, 0).length;
    const parameters = this.model.namedParameters();
    const optimizer = new AdamW(parameters);
    try {
      await runTraining({
        model: this.model,
        data: { batchesPerEpoch, batches },
        optimizer,
        groups: groupParameters(parameters, { weightDecay: 1e-2 }),
        schedule: createSchedule(
          { schedule: 'cosine', warmupSteps: Math.min(50, steps - 1) },
          { stepsPerEpoch: batchesPerEpoch, totalSteps: steps },
        ),
        learningRate: 1e-3,
        totalSteps: steps,
        seed,
        hooks: {
          shouldStop,
          record: async (entry) => {
            if (entry.kind === 'step') await onStep(entry.report);
          },
        },
      });
    } finally {
      optimizer.dispose();
    }
  }

  /** What the model finds on the first pictures of the validation set, beside the truth. */
  async look(count: number): Promise<Example[]> {
    const examples: Example[] = [];
    for await (const { images, targets } of createLoader(this.data.val, { batchSize: 1, shuffle: false })) {
      const [detections] = await this.model.detect(images);
      examples.push({ image: images[0]!, target: targets[0]!, detections: detections! });
      if (examples.length === count) break;
    }
    return examples;
  }

  /** COCO's numbers on the validation set, as pycocotools would compute them. */
  async evaluate(onProgress?: (done: number, of: number) => void): Promise<Scores> {
    const { scores } = await evaluateModel(this.model, this.data.val, {
      losses: false,
      ...(onProgress && { onProgress }),
    });
    return scores;
  }

  /** A checkpoint that `mask-rcnn predict --weights` and torchvision read. */
  async weights(): Promise<Blob> {
    const profile = torchvisionProfile({
      source: 'a browser tab',
      architecture: 'maskrcnn_small',
      numClasses: this.data.train.classes.numClasses,
      classes: this.data.train.classes.classes,
      input: this.model.spec.input,
    });
    const file = await checkpointFile({ weights: (await stateDict(this.model)).values(), profile });
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of file.chunks()) parts.push(chunk.slice());
    return new Blob(parts, { type: 'application/octet-stream' });
  }

  dispose(): void {
    this.model.dispose();
  }
}
