import { extname, join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { Detection, InstanceMask, PixelImage } from '@rcnn/core';
import { OutputFolder, plainName } from '@rcnn/files';
import { drawPanel, everything, type Skeleton } from '@rcnn/visualize';
import { createCanvas } from '@rcnn/visualize/node';
import sharp, { type Sharp } from 'sharp';
import { NewNames } from '../output/new-names.ts';
import type { OwnFiles } from '../output/own-files.ts';
import type { PictureKind } from '../pictures/picture-kind.ts';
import { isSigned, signed } from '../pictures/signed.ts';

/** What drawn objects are called, and which of their key points belong together. */
export interface Legend {
  readonly names: ReadonlyMap<number, string>;
  readonly skeleton?: Skeleton | undefined;
}

export interface PictureOptions {
  /** Folder that everything goes into. */
  readonly out: string;
  /** The annotated picture, at the image's own size. */
  readonly pictures: boolean;
  /** Each object cut out, in a folder per class. */
  readonly crops: boolean;
  /** Each mask as a black and white PNG of the image's size. */
  readonly masks: boolean;
  /** What the run may write: it replaces pictures of an earlier run and no other file. */
  readonly own: OwnFiles;
}

/** Writes what was found as pictures, beside the results for programs. */
export class PictureWriter {
  readonly #options: PictureOptions;
  readonly #legend: Legend;
  readonly #newNames = new NewNames();
  readonly #output: OutputFolder;
  /** The folder of each label's crops. */
  readonly #cropFolders = new Map<number, string>();

  private constructor(options: PictureOptions, legend: Legend, output: OutputFolder) {
    this.#options = options;
    this.#legend = legend;
    this.#output = output;
  }

  /**
   * Makes the folders: what is wrong with them would cost every image, so it is told before the first.
   * @throws FILE_EXISTS, PATH_REFUSED, DISK_FULL, IO_FAILED
   */
  static async open(options: PictureOptions, legend: Legend): Promise<PictureWriter> {
    const output = await OutputFolder.open(options.out);
    for (const [folder, isWanted] of [
      ['crops', options.crops],
      ['masks', options.masks],
    ] as const)
      if (isWanted) await output.file(`${folder}/x`);
    return new PictureWriter(options, legend, output);
  }

  /** @returns the annotated picture's file, where one is wanted */
  async write(file: string, image: PixelImage, found: readonly Detection[]): Promise<string | undefined> {
    const { pictures, crops, masks } = this.#options;
    const ending = endingOf(file);
    const name = await this.#nameOf(file, ending);
    for (const [i, detection] of found.entries()) {
      if (crops) await this.#crop(`${name}-${i + 1}${ending}`, image, detection);
      if (masks && detection.mask) {
        await this.#mask(`${name}-${i + 1}-${plainName(this.#className(detection.label))}.png`, detection.mask);
      }
    }
    if (!pictures) return undefined;
    const path = await this.#output.file(name + ending);
    const drawn = sharpOf(drawFound(image, found, this.#legend));
    await atomicWrite(path, await bytesOf(inFormat(drawn, ending), 'prediction'));
    return path;
  }

  /** A name of its own, and never that of somebody else's file: `photo-2.jpg` in the photo's own folder. */
  #nameOf(file: string, ending: string): Promise<string> {
    const { out, pictures, own } = this.#options;
    return this.#newNames.takeFree(
      file,
      async (name) => !pictures || own.take(join(out, name + ending), isSigned('prediction')),
    );
  }

  async #write(path: string, image: Sharp, kind: PictureKind): Promise<void> {
    const file = await this.#options.own.takeFree(await this.#output.file(path), isSigned(kind));
    await atomicWrite(file, await bytesOf(image, kind));
  }

  #className(label: number): string {
    return this.#legend.names.get(label) ?? `class ${label}`;
  }

  #cropFolder(label: number): string {
    const known = this.#cropFolders.get(label);
    if (known !== undefined) return known;
    const folder = this.#output.takeFolder(plainName(this.#className(label)), 'crops');
    this.#cropFolders.set(label, folder);
    return folder;
  }

  async #crop(name: string, image: PixelImage, { box, label }: Detection): Promise<void> {
    const [left, top] = [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))];
    const width = Math.max(1, Math.min(image.width, Math.ceil(box[2])) - left);
    const height = Math.max(1, Math.min(image.height, Math.ceil(box[3])) - top);
    if (left >= image.width || top >= image.height) return;
    const bytes = sharpOf(image).extract({ left, top, width, height });
    await this.#write(`${this.#cropFolder(label)}/${name}`, inFormat(bytes, name), 'crop');
  }

  async #mask(name: string, mask: InstanceMask): Promise<void> {
    const [height, width] = mask.size;
    const bits = mask.bitmap().map((bit) => 255 * bit);
    const png = sharp(bits, { raw: { width, height, channels: 1 } })
      .toColourspace('b-w')
      .png();
    await this.#write(`masks/${name}`, png, 'mask');
  }
}

/** The picture with everything that was found, at its own size. */
export function drawFound(image: PixelImage, found: readonly Detection[], legend: Legend): PixelImage {
  const canvas = drawPanel(createCanvas, { image, objects: found, annotators: everything() }, 1, legend);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return { data: withoutAlpha(data), height: canvas.height, width: canvas.width, channels: 3 };
}

/** The ending of the picture: the image's own where it can be written, else PNG. */
function endingOf(file: string): string {
  const ending = extname(file.replace(/[?#].*$/, '')).toLowerCase();
  return ['.jpg', '.jpeg', '.png', '.webp'].includes(ending) ? ending : '.png';
}

function bytesOf(image: Sharp, kind: PictureKind): Promise<Buffer> {
  return signed(image, kind).toBuffer();
}

function inFormat(image: Sharp, name: string): Sharp {
  if (/\.jpe?g$/.test(name)) return image.jpeg({ quality: 92, chromaSubsampling: '4:4:4' });
  return name.endsWith('.webp') ? image.webp({ quality: 92 }) : image.png();
}

function sharpOf({ data, width, height }: PixelImage): Sharp {
  const bytes = data instanceof Float32Array ? Uint8Array.from(data, (value) => Math.round(255 * value)) : data;
  return sharp(bytes, { raw: { width, height, channels: 3 } });
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}
