import type { PixelImage } from '@rcnn/core';
import { drawnDetections } from '@rcnn/visualize';
import { startEngine } from '../engines/use.ts';
import { type ModelChoice, openDetector } from '../models/open-model.ts';
import type { EngineFlags } from '../options/engine-options.ts';
import type { Picture } from './draw.ts';

export interface PredictedPictures extends ModelChoice {
  readonly engine: EngineFlags;
  readonly minScore: number;
}

/** What a model finds in image files. */
export async function* picturesOfImages(
  files: readonly string[],
  read: (file: string) => Promise<PixelImage>,
  { engine, minScore, ...choice }: PredictedPictures,
): AsyncGenerator<Picture> {
  await startEngine(engine, 'predict');
  const { model, classes, keypoints } = await openDetector(choice);
  const names = new Map((classes?.classes ?? []).map(({ label, name }) => [label, name]));
  for (const name of files) {
    const image = await read(name);
    const [detections] = await model.detect([image]);
    yield { name, image, objects: drawnDetections(detections!, minScore), names, skeleton: keypoints?.skeleton };
  }
}
