import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { type Detector, Module, Parameter } from '@rcnn/core';
import '@tensorflow/tfjs-backend-cpu';
import type { Architecture } from '@rcnn/models';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { patches } from './stand-in.ts';

/** The detector of {@link patches} as an architecture of one weight, which the program loads as it loads any other. */
class PatchesDetector extends Module implements Detector {
  readonly spec: Detector['spec'];
  readonly #weight = this.register('weight', new Parameter(tf.scalar(0.5)));

  constructor(numClasses: number) {
    super();
    this.spec = {
      numClasses,
      learnsFrom: [],
      finds: ['boxes', 'masks'],
      input: torchvisionProfile({ source: 'a test', numClasses, architecture: 'patches' }).input,
      isPredictor: () => false,
    };
  }

  detect: Detector['detect'] = async (images) => {
    const found = await patches.detect(images as never, { maskThreshold: 0.5 });
    return found.map((detections) => [...detections]);
  };

  losses: Detector['losses'] = async (_, targets) => ({
    loss_area: tf.scalar(targets[0]!.boxes.reduce((sum, side) => sum + side / 7, 0)),
    loss_weight: tf.clone(this.#weight.value as unknown as tf.Scalar),
  });
}

export const patchesArchitecture: Architecture = {
  name: 'patches',
  about: 'a test',
  optionSchema: z.strictObject({}),
  weightOptions: [],
  build: ({ numClasses }) => new PatchesDetector(numClasses),
};

const CLASSES = ['circle', 'square', 'triangle', 'star'];

/** Writes weights for it. @param classes names of the first labels; what has none is found all the same, without any too */
export async function savePatches(
  file: string,
  classes: readonly string[] = CLASSES,
  numClasses: number = 5,
): Promise<void> {
  const model = new PatchesDetector(numClasses);
  const profile = torchvisionProfile({
    source: 'a test',
    architecture: 'patches',
    numClasses,
    ...(classes.length > 0 && {
      classes: classes.map((name, i) => ({ label: i + 1, name, categoryId: i + 1 })),
    }),
  });
  await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile: { ...profile, options: {} } });
  model.dispose();
}
