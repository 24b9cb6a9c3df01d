import type { PixelImage } from '@rcnn/core';
import type { Architecture } from '@rcnn/models';
import { drawnDetections } from '@rcnn/visualize';
import { startEngine } from '../engines/use.ts';
import type { ModelFlags } from '../models/load.ts';
import { openDetector } from '../models/open-model.ts';
import type { EngineFlags } from '../options/engine-options.ts';
import type { Picture } from './draw.ts';

export interface PredictedPictures {
  readonly model: ModelFlags;
  readonly architectures: readonly Architecture[] | undefined;
  readonly engine: EngineFlags;
  readonly minScore: number;
}

/** What a model finds in image files. */
export async function* picturesOfImages(
  files: readonly string[],
  read: (file: string) => Promise<PixelImage>,
  { engine, minScore, model: choice, architectures }: PredictedPictures,
): AsyncGenerator<Picture> {
  await startEngine(engine, 'predict');
  const { model, classes, keypoints } = await openDetector(choice, architectures);
  const names = new Map((classes?.classes ?? []).map(({ label, name }) => [label, name]));
  for (const name of files) {
    const image = await read(name);
    const [detections] = await model.detect([image]);
    yield { name, image, objects: drawnDetections(detections!, minScore), names, skeleton: keypoints?.skeleton };
  }
}
