import { type ParameterOwner, withoutInitialising } from '@rcnn/core';
import type { WeightsProfile } from '../profile.ts';
import type { TensorSource } from '../tensor-source.ts';
import { loadStateDict } from './load.ts';
import type { LoadReport } from './match.ts';
import { otherArchitecture } from './other-architecture.ts';

/** What is known of weights and of the model that is built for them. */
export interface BuildOptions {
  /** The model's architecture by name. */
  readonly arch: string;
  /** Whether its predictors are for other classes than the file's: they get first values of their own. */
  readonly fresh: boolean;
  readonly profile: WeightsProfile | undefined;
}

/**
 * Builds a model and loads it; a model that the weights do not fit is disposed again.
 * @throws CHECKPOINT_MISMATCH
 */
export async function buildWithWeights<Model extends ParameterOwner>(
  build: () => Model,
  weights: TensorSource,
  { arch, fresh, profile }: BuildOptions,
): Promise<{ readonly model: Model; readonly report: LoadReport }> {
  const model = fresh ? build() : withoutInitialising(build);
  try {
    return { model, report: await loadStateDict(model, weights, { newPredictors: fresh }) };
  } catch (error) {
    model.dispose();
    throw otherArchitecture(error, weights.name, profile, arch);
  }
}
