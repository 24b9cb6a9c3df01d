import { decodeBlob, withoutAlpha } from '@rcnn/coco-data';
import { type PixelImage, RcnnError } from '@rcnn/core';
import { fetchBlob } from './fetch-blob.ts';
import type { PhotoReader } from './photo.ts';

/** Pictures in a browser, which decodes them itself. */
export const browserReader: PhotoReader = {
  async open(where) {
    return decodeBlob(await fetchBlob(where, 'the image'), { orientation: 'apply', name: String(where).slice(0, 100) });
  },

  decode(bytes) {
    const blob = bytes instanceof Blob ? bytes : new Blob([bytes]);
    return decodeBlob(blob, { orientation: 'apply', name: 'photo' });
  },

  draw(source) {
    const size = sizeOf(source);
    if (size === undefined) return undefined;
    const [width, height] = size;
    if (width === 0 || height === 0) {
      throw new RcnnError('IMAGE_INVALID', {
        where: 'detector',
        place: 'photo',
        problem: 'it has no picture yet',
        found: `${width}x${height}`,
        hint: "Wait until it has loaded: image.decode(), or the video's event 'loadeddata'.",
      });
    }
    return pixelsOf(source as CanvasImageSource, width, height);
  },
};

/** Width and height of what a canvas can draw, in its own pixels; undefined for anything else. */
function sizeOf(source: object): readonly [width: number, height: number] | undefined {
  const { videoWidth, videoHeight, naturalWidth, naturalHeight } = source as Partial<
    HTMLVideoElement & HTMLImageElement
  >;
  const { displayWidth, displayHeight, width, height } = source as Partial<VideoFrame & HTMLCanvasElement>;
  const across = videoWidth ?? naturalWidth ?? displayWidth ?? width;
  const down = videoHeight ?? naturalHeight ?? displayHeight ?? height;
  return typeof across === 'number' && typeof down === 'number' ? [across, down] : undefined;
}

function pixelsOf(source: CanvasImageSource, width: number, height: number): PixelImage {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  try {
    context.drawImage(source, 0, 0, width, height);
    return withoutAlpha(context.getImageData(0, 0, width, height));
  } catch (cause) {
    const foreign = cause instanceof DOMException && cause.name === 'SecurityError';
    throw new RcnnError(foreign ? 'IMAGE_INVALID' : 'INVALID_ARGUMENT', {
      where: 'detector',
      place: 'photo',
      problem: foreign ? 'the browser does not let us read it, for it comes from another site' : 'it cannot be drawn',
      found: cause instanceof Error ? cause.message : String(cause),
      ...(foreign && { hint: "Set crossOrigin = 'anonymous' before its address, if that site allows it." }),
      cause,
    });
  }
}
