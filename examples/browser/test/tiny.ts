import { drawnShapes, TabTraining, type TabTrainingOptions } from '../src/tab-training.ts';

/** Small enough for a plain JavaScript engine. */
const TINY: TabTrainingOptions = {
  steps: 3,
  batchSize: 2,
  data: drawnShapes({ train: 6, val: 2 }, 64),
  side: 64,
  model: { stemChannels: 8, planes: [8, 8, 16, 16], fpnChannels: 16, boxFeatures: 32 },
};

/**
 * The loss of each step as the onnxruntime engine in Node has it. The tests in Node and in Chromium both compare with
 * these, so they compare the engines with each other.
 */
export const LOSSES: readonly number[] = [5.17683, 5.8365, 5.47569];

/** Trains three steps. */
export async function trainTiny(): Promise<{ training: TabTraining; losses: number[] }> {
  const training = new TabTraining(TINY);
  const losses: number[] = [];
  await training.run(({ loss }) => void losses.push(loss));
  return { training, losses };
}
