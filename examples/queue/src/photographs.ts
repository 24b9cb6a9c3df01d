/** Pictures and a model for the show: drawn, and of random weights, so that nothing has to be fetched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random, useEngine } from '@rcnn/core';
import { architectures, findArchitecture, profileOf } from '@rcnn/models';
import sharp from 'sharp';

/** Saves a small Mask R-CNN. It finds what random weights find, always the same in one picture. */
export async function saveModel(file: string): Promise<void> {
  await useEngine('onnxruntime');
  const architecture = findArchitecture(architectures, 'maskrcnn_small');
  const options = { minSize: 96, maxSize: 128 };
  const model = architecture.build({ numClasses: 3, options, random: new Random(1) });
  const classes = ['circle', 'square'].map((name, i) => ({ label: i + 1, categoryId: i + 1, name }));
  const profile = profileOf(architecture, model, options, { source: 'examples/queue', classes });
  await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
}

/** Draws `count` pictures into a folder; each is another one. */
export function drawPhotographs(folder: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const [width, height, channels] = [128, 96, 3] as const;
      const data = Uint8Array.from(
        { length: width * height * channels },
        (_, at) => ((at * (17 + i)) ^ (at >> 7)) & 255,
      );
      const file = join(folder, `photo-${i}.png`);
      await sharp(data, { raw: { width, height, channels } }).png().toFile(file);
      return file;
    }),
  );
}

/** A file that is no picture. */
export function brokenPhotograph(folder: string): string {
  const file = join(folder, 'broken.png');
  writeFileSync(file, 'this is no picture');
  return file;
}
