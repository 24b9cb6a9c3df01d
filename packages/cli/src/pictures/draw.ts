import { atomicWrite } from '@rcnn/checkpoint/node';
import type { PixelImage } from '@rcnn/core';
import { OutputFolder } from '@rcnn/files';
import { type DrawnObject, drawSixPanels, type Skeleton } from '@rcnn/visualize';
import { createCanvas, encodePng } from '@rcnn/visualize/node';
import { NewNames } from '../output/new-names.ts';

/** One picture to make. */
export interface Picture {
  /** The file that it is of. */
  readonly name: string;
  readonly image: PixelImage;
  readonly objects: readonly DrawnObject[];
  readonly names: ReadonlyMap<number, string>;
  /** Pairs of key points that a line joins. */
  readonly skeleton?: Skeleton | undefined;
}

/** Writes six panels per picture into a folder. @returns the files, as they are made */
export async function* drawAll(
  pictures: AsyncIterable<Picture>,
  out: string,
  colorBy: 'class' | 'instance',
): AsyncGenerator<string> {
  const folder = await OutputFolder.open(out);
  const newNames = new NewNames();
  for await (const { name, image, objects, names, skeleton } of pictures) {
    const file = await folder.file(`${newNames.take(name)}.png`);
    await atomicWrite(file, encodePng(drawSixPanels(createCanvas, image, objects, { names, skeleton, colorBy })));
    yield file;
  }
}
