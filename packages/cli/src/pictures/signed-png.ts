import type { NodeCanvas } from '@rcnn/visualize/node';
import sharp from 'sharp';
import type { PictureKind } from './picture-kind.ts';
import { signed } from './signed.ts';

/** The bytes of a PNG file that a later run knows again. */
export function signedPng(canvas: NodeCanvas, kind: PictureKind): Promise<Buffer> {
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  return signed(
    sharp(data, { raw: { width, height, channels: 4 } })
      .removeAlpha()
      .png(),
    kind,
  ).toBuffer();
}
