import { fileURLToPath } from 'node:url';
import { withoutAlpha } from '@rcnn/coco-data';
import type * as Images from '@rcnn/coco-data/node/images';
import { RcnnError } from '@rcnn/core';
import type { CanvasLike, PhotoReader } from './photo.ts';

/** Pictures in Node: decoded by sharp, which is loaded with the first one that needs it. */
export const nodeReader: PhotoReader = {
  async open(where) {
    const { decodeImage, fetchImage, readImage } = await images();
    const address = where instanceof URL ? where.href : where;
    if (address.startsWith('file:')) return readImage(fileURLToPath(address));
    if (!(where instanceof URL) && !/^(?:https?|data|blob):/i.test(address)) return readImage(address);
    const name = address.length > 100 ? `${address.slice(0, 100)}…` : address; // a data: address is the image itself
    return decodeImage(await fetchImage(address), { orientation: 'apply', name });
  },

  async decode(bytes) {
    const { decodeImage } = await images();
    const file = bytes instanceof Blob ? new Uint8Array(await bytes.arrayBuffer()) : bytes;
    return decodeImage(file, { orientation: 'apply', name: 'photo' });
  },

  draw(source) {
    const { getContext, width, height } = source as Partial<CanvasLike>;
    if (getContext === undefined || width === undefined || height === undefined) return undefined;
    const context = (source as CanvasLike).getContext('2d');
    return context === null ? undefined : withoutAlpha(context.getImageData(0, 0, width, height));
  },
};

async function images(): Promise<typeof Images> {
  try {
    return await import('@rcnn/coco-data/node/images');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    throw new RcnnError('SETUP_FAILED', {
      where: 'detector',
      place: 'sharp',
      problem: missing
        ? 'the library that decodes images is not installed'
        : 'the library that decodes images does not load',
      found: message.split('\n')[0]!,
      hint: missing ? 'Install it: npm install sharp. Pixels and tensors are taken without it.' : 'Install sharp anew.',
      cause,
    });
  }
}
