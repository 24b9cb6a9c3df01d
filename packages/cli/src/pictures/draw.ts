import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { PixelImage } from '@rcnn/core';
import { OutputFolder } from '@rcnn/files';
import { type DrawnObject, drawSixPanels, type Skeleton } from '@rcnn/visualize';
import { createCanvas } from '@rcnn/visualize/node';
import { NewNames } from '../output/new-names.ts';
import { OwnFiles } from '../output/own-files.ts';
import { isSigned } from './signed.ts';
import { signedPng } from './signed-png.ts';

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

/**
 * Writes six panels per picture into a folder, where they replace those of an earlier run and no other file.
 * @param inputs files that are read meanwhile, which stay
 * @returns the files, as they are made
 */
export async function* drawAll(
  pictures: AsyncIterable<Picture>,
  out: string,
  colorBy: 'class' | 'instance',
  inputs: readonly string[] = [],
): AsyncGenerator<string> {
  const folder = await OutputFolder.open(out);
  const newNames = new NewNames();
  const own = new OwnFiles(inputs);
  const isFree = (name: string): Promise<boolean> => own.take(join(out, `${name}.png`), isSigned('panels'));
  for await (const { name, image, objects, names, skeleton } of pictures) {
    const file = await folder.file(`${await newNames.takeFree(name, isFree)}.png`);
    const canvas = drawSixPanels(createCanvas, image, objects, { names, skeleton, colorBy });
    await atomicWrite(file, await signedPng(canvas, 'panels'));
    yield file;
  }
}
