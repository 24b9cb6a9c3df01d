import { ClassMap, type Dataset } from '@rcnn/coco-data';
import type { OpenOptions } from '@rcnn/coco-data/node';
import type { Detector, KeypointScheme } from '@rcnn/core';
import type { Architecture } from '@rcnn/models';
import { loadDetector } from '@rcnn/models/node';
import type { CompileChoice } from '@rcnn/onnx';
import { weightsFile } from 'mask-rcnn/node';
import { compiled } from './compiled.ts';
import { isExported, openExported } from './exported.ts';
import { type Predicting, tellOfDownload } from './load.ts';
import { openFor } from './open-for.ts';

/** Which weights, and of what. */
export interface ModelChoice {
  /** A checkpoint, run folder, published name or URL. */
  readonly weights: string;
  /** Where the file does not say. */
  readonly arch?: string | undefined;
  readonly architectures?: readonly Architecture[] | undefined;
  /** Default auto. */
  readonly compile?: CompileChoice | undefined;
}

/** A model by checkpoint, run folder, name or URL, and its classes where the file names them. */
export async function openDetector({ weights, compile, ...choice }: ModelChoice): Promise<{
  model: Detector;
  classes: ClassMap | undefined;
  keypoints: KeypointScheme | undefined;
}> {
  const opened = isExported(weights) ? await exported(weights, choice) : await loaded(weights, choice, compile);
  const { model, profile } = opened;
  const classes = profile?.classes === undefined ? undefined : new ClassMap(profile.classes, profile.numClasses);
  return { model, classes, keypoints: profile?.keypoints };
}

type Opened = Pick<Predicting, 'model' | 'profile'>;

type Architectural = Omit<ModelChoice, 'weights' | 'compile'>;

async function loaded(weights: string, choice: Architectural, compile: CompileChoice | undefined): Promise<Opened> {
  const { model, profile } = await loadDetector(weightsFile(weights), { ...choice, onEvent: await tellOfDownload() });
  return { model: await compiled(model, compile), profile };
}

async function exported(weights: string, { arch }: Architectural): Promise<Opened> {
  const model = await openExported(weights, { fixed: { '--arch': arch } });
  return { model, profile: model.description };
}

/** A model and a dataset that agree on the classes. */
export async function openModel(
  choice: ModelChoice,
  { path, ...options }: OpenOptions & { readonly path: string },
): Promise<{ readonly model: Detector; readonly dataset: Dataset }> {
  const { model, classes } = await openDetector(choice);
  const dataset = await openFor(classes, path, options);
  return { model, dataset };
}
