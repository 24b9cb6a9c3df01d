import { Random } from '@rcnn/core';
import type { ProcessGroup, SharedNorms } from '@rcnn/distributed';
import { SGD, type Share, sharedStep, type TrainingBatch } from '../src/index.ts';
import { toyBatch } from '../src/testing/index.ts';
import type { NormedModel } from './normed-model.ts';

export const EMPTY: TrainingBatch = { images: [], targets: [] };

/** The batches of these numbers as one. */
export function joined(...numbers: readonly number[]): TrainingBatch {
  const batches = numbers.map((number) => toyBatch(0, number));
  return { images: batches.flatMap(({ images }) => images), targets: batches.flatMap(({ targets }) => targets) };
}

/** Steps of a model with the shares given. */
export async function steps(
  group: ProcessGroup,
  { model, norms }: { readonly model: NormedModel; readonly norms?: SharedNorms | undefined },
  shares: readonly Share[],
): Promise<{ losses: number[]; values: Float32Array }> {
  const optimizer = new SGD(model.namedParameters(), { momentum: 0.9 });
  const losses: number[] = [];
  for (const [step, share] of shares.entries()) {
    const random = new Random(3).fork('step', step);
    const { result } = await sharedStep({ model, optimizer, group, norms }, share, {
      step,
      learningRate: 0.05,
      random,
    });
    losses.push(result?.loss ?? Number.NaN);
  }
  optimizer.dispose();
  const values = [...model.namedParameters().values()].flatMap(({ value }) => [...value.dataSync()]);
  return { losses, values: Float32Array.from(values) };
}
