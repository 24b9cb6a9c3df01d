import {
  buildWithWeights,
  type Checkpoint,
  type LoadReport,
  modelTensors,
  refuseUnknown,
  type TensorSource,
  type WeightsProfile,
} from '@rcnn/checkpoint';
import type { Detector } from '@rcnn/core';
import {
  type Architecture,
  type BuildRequest,
  checkOptions,
  findArchitecture,
  type ModelOptions,
} from './architecture.ts';
import { architectures as all } from './architectures.ts';

export interface FromCheckpointOptions extends Pick<BuildRequest, 'scoreThreshold' | 'detectionsPerImage'> {
  /** Default those of this toolkit. */
  readonly architectures?: readonly Architecture[] | undefined;
  /** By name. Default what the checkpoint says, or what its tensors look like. */
  readonly arch?: string | undefined;
  /** Default the checkpoint's. With others the predictors start afresh. */
  readonly numClasses?: number | undefined;
  /** The architecture's own options; they go before the checkpoint's. */
  readonly options?: ModelOptions | undefined;
}

/** A detector with weights. */
export interface LoadedDetector {
  readonly model: Detector;
  readonly architecture: Architecture;
  /** What the weights expect of the program around them; undefined when the file does not say. */
  readonly profile: WeightsProfile | undefined;
  readonly report: LoadReport;
}

/**
 * Builds the detector that a checkpoint is of, and loads it. Options go before the checkpoint's profile, that before
 * defaults. With another `numClasses` than the file's, the predictors start afresh and `report.skipped` names them;
 * all other weights are kept. Does not close the checkpoint.
 * @throws CHECKPOINT_MISMATCH, CONFIG_INVALID, INVALID_ARGUMENT (unknown architecture)
 */
export async function detectorFromCheckpoint(
  checkpoint: Pick<Checkpoint, 'weights' | 'profile'>,
  settings: FromCheckpointOptions = {},
): Promise<LoadedDetector> {
  const { architectures = all, arch, options, ...limits } = settings;
  const { profile } = checkpoint;
  const found = modelTensors(checkpoint.weights);
  const name = arch ?? profile?.architecture;
  const architecture = name === undefined ? recognised(architectures, found) : findArchitecture(architectures, name);
  const weights = architecture.ownNames?.(found) ?? found;
  const inFile = architecture.classesOf?.(weights) ?? profile?.numClasses ?? 0;
  const numClasses = settings.numClasses ?? profile?.numClasses ?? inFile;
  const fresh = inFile !== 0 && numClasses !== inFile; // then the predictors need first values of their own
  const own = checkOptions(architecture, { ...profile?.options, ...options });
  const numKeypoints = architecture.keypointsOf?.(weights);
  const build = (): Detector =>
    architecture.build({ ...limits, numClasses, numKeypoints, options: own, input: profile?.input });
  const { model, report } = await buildWithWeights(build, weights, { arch: architecture.name, fresh, profile });
  return { model, architecture, profile, report };
}

function recognised(architectures: readonly Architecture[], weights: TensorSource): Architecture {
  const found = architectures.find((architecture) => architecture.recognise?.(weights));
  return found ?? refuseUnknown(weights, architectures[0]?.name ?? 'one of yours');
}
