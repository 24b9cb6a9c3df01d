import { extname, join, resolve } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { Detection, InstanceMask, PixelImage } from '@rcnn/core';
import { drawPanel, everything } from '@rcnn/visualize';
import { createCanvas } from '@rcnn/visualize/node';
import sharp, { type Sharp } from 'sharp';
import { NewNames, plainName } from '../output/new-names.ts';
import { makeFolder } from '../pictures/draw.ts';

export interface PictureOptions {
  /** Folder that everything goes into. */
  readonly out: string;
  /** The annotated picture, at the image's own size. */
  readonly pictures: boolean;
  /** Each object cut out, in a folder per class. */
  readonly crops: boolean;
  /** Each mask as a black and white PNG of the image's size. */
  readonly masks: boolean;
  /** Files that must not be replaced: those that were read. */
  readonly inputs: readonly string[];
}

/** Writes what was found as pictures, beside the results for programs. */
export class PictureWriter {
  readonly #options: PictureOptions;
  readonly #names: ReadonlyMap<number, string>;
  readonly #newNames = new NewNames();
  readonly #inputs: ReadonlySet<string>;

  constructor(options: PictureOptions, names: ReadonlyMap<number, string>) {
    this.#options = options;
    this.#names = names;
    this.#inputs = new Set(options.inputs.map((file) => resolve(file)));
    if (options.pictures || options.crops || options.masks) makeFolder(options.out);
  }

  /** @returns the annotated picture's file, where one is wanted */
  async write(file: string, image: PixelImage, found: readonly Detection[]): Promise<string | undefined> {
    const { pictures, crops, masks, out } = this.#options;
    const ending = endingOf(file);
    const name = this.#nameOf(file, ending);
    for (const [i, detection] of found.entries()) {
      const label = plainName(this.#names.get(detection.label) ?? `class ${detection.label}`);
      if (crops) await this.#crop(join(out, 'crops', label), `${name}-${i + 1}${ending}`, image, detection);
      if (masks && detection.mask) await this.#mask(`${name}-${i + 1}-${label}.png`, detection.mask);
    }
    if (!pictures) return undefined;
    const path = join(out, name + ending);
    await atomicWrite(path, await encoded(this.draw(image, found), ending));
    return path;
  }

  /** The picture with everything that was found, at its own size. */
  draw(image: PixelImage, found: readonly Detection[]): PixelImage {
    const panel = { image, objects: found, annotators: everything() };
    const canvas = drawPanel(createCanvas, panel, 1, { names: this.#names });
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return { data: withoutAlpha(data), height: canvas.height, width: canvas.width, channels: 3 };
  }

  /** A name of its own, and never that of a file that was read: `photo-2.jpg` in the photo's own folder. */
  #nameOf(file: string, ending: string): string {
    for (;;) {
      const name = this.#newNames.take(file);
      if (!this.#inputs.has(resolve(this.#options.out, name + ending))) return name;
    }
  }

  async #crop(folder: string, name: string, image: PixelImage, { box }: Detection): Promise<void> {
    const [left, top] = [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))];
    const width = Math.max(1, Math.min(image.width, Math.ceil(box[2])) - left);
    const height = Math.max(1, Math.min(image.height, Math.ceil(box[3])) - top);
    if (left >= image.width || top >= image.height) return;
    makeFolder(folder);
    const bytes = sharpOf(image).extract({ left, top, width, height });
    await atomicWrite(join(folder, name), await inFormat(bytes, name).toBuffer());
  }

  async #mask(name: string, mask: InstanceMask): Promise<void> {
    const folder = join(this.#options.out, 'masks');
    makeFolder(folder);
    const [height, width] = mask.size;
    const bits = mask.bitmap().map((bit) => 255 * bit);
    const png = sharp(bits, { raw: { width, height, channels: 1 } })
      .toColourspace('b-w')
      .png();
    await atomicWrite(join(folder, name), await png.toBuffer());
  }
}

/** The ending of the picture: the image's own where it can be written, else PNG. */
function endingOf(file: string): string {
  const ending = extname(file.replace(/[?#].*$/, '')).toLowerCase();
  return ['.jpg', '.jpeg', '.png', '.webp'].includes(ending) ? ending : '.png';
}

function encoded(image: PixelImage, name: string): Promise<Buffer> {
  return inFormat(sharpOf(image), name).toBuffer();
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
