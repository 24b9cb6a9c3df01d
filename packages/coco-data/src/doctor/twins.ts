import { createHash } from 'node:crypto';
import type { PixelImage } from '@rcnn/core';

/** Pixels that are looked at first: images that differ in one of them are no twins. */
const SAMPLES = 4096;

interface Seen<Who> {
  readonly who: Who;
  /** The digest of all of its pixels; asked for when another image has the same samples. */
  readonly digest: () => Promise<string | undefined>;
}

/**
 * Finds images of the same pixels. To digest every pixel of a dataset takes longer than to decode it, so a few thousand of
 * each image are compared first, and all of them only where these agree.
 */
export class Twins<Who> {
  readonly #seen = new Map<string, Seen<Who>[]>();

  /**
   * @param again decodes the image once more, should a later one look like it; undefined where that fails by then
   * @returns an image with the same pixels that came before, if there is one
   */
  async find(image: PixelImage, who: Who, again: () => Promise<PixelImage | undefined>): Promise<Who | undefined> {
    const key = sampleOf(image);
    const before = this.#seen.get(key) ?? [];
    let digest = before.length > 0 ? Promise.resolve<string | undefined>(digestOf(image)) : undefined;
    const decodeAgain = (): Promise<string | undefined> => {
      digest ??= again().then((pixels) => pixels && digestOf(pixels));
      return digest;
    };
    this.#seen.set(key, [...before, { who, digest: decodeAgain }]);
    const own = await digest;
    for (const other of before) if ((await other.digest()) === own) return other.who;
    return undefined;
  }
}

function sampleOf({ height, width, data }: PixelImage): string {
  const step = Math.max(1, Math.floor(data.length / SAMPLES) | 1); // odd, so that all channels are met
  const samples = new Uint8Array(Math.ceil(data.length / step));
  for (let i = 0, at = 0; at < data.length; i++, at += step) samples[i] = data[at]!;
  return createHash('sha256').update(`${height}x${width}`).update(samples).digest('base64');
}

function digestOf({ height, width, data }: PixelImage): string {
  return createHash('sha256').update(`${height}x${width}`).update(data).digest('base64');
}
