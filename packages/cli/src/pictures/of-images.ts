import type { PixelImage } from '@rcnn/core';
import { counted } from '@rcnn/core/errors';
import type { Architecture } from '@rcnn/models';
import { drawnDetections } from '@rcnn/visualize';
import { startEngine } from '../engines/use.ts';
import { knownClasses } from '../models/known-classes.ts';
import { loadPredicting, type ModelFlags } from '../models/load.ts';
import type { EngineFlags } from '../options/engine-options.ts';
import { costsItself, tellFailure } from '../output/failures.ts';
import { note } from '../output/print.ts';
import type { Picture } from './draw.ts';

export interface PredictedPictures {
  readonly model: ModelFlags;
  readonly architectures: readonly Architecture[] | undefined;
  readonly engine: EngineFlags;
  readonly minScore: number;
}

/** What a model finds in image files. One that cannot be used is named, costs only itself, and makes the exit code 1. */
export async function* picturesOfImages(
  files: readonly string[],
  read: (file: string) => Promise<PixelImage>,
  { engine, minScore, model: choice, architectures }: PredictedPictures,
): AsyncGenerator<Picture> {
  await startEngine(engine, 'predict');
  const loaded = await loadPredicting(choice, architectures);
  const names = new Map((knownClasses(loaded)?.classes ?? []).map(({ label, name }) => [label, name]));
  const skeleton = loaded.profile?.keypoints?.skeleton;
  let bad = 0;
  for (const name of files) {
    const made: Picture[] = [];
    const failure = await costsItself(async () => {
      const image = await read(name);
      const [detections] = await loaded.model.detect([image]);
      made.push({ name, image, objects: drawnDetections(detections!, minScore), names, skeleton });
    });
    if (failure !== undefined) {
      bad++;
      tellFailure(name, failure);
      process.exitCode = 1;
    }
    yield* made;
  }
  if (bad > 0) note(`${bad} of ${counted(files.length, 'image')} could not be used.`);
}
