import type { ImageSize } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { encodeRows, Mask } from '@rcnn/masks';
import type { Problems } from '../../doctor/problems.ts';
import type { LabelmeFile, LabelmeShape, PaintedMask } from '../../formats/labelme/parse-labelme.ts';
import { decodeImage } from '../images/decode.ts';

/** The file with the outlines of its painted masks; one that cannot be decoded is reported and left out. */
export async function withPaintedMasks(
  file: LabelmeFile,
  size: ImageSize,
  source: string,
  problems: Problems,
): Promise<LabelmeFile> {
  if (file.shapes.every(({ painted }) => painted === undefined)) return file;
  const shapes: LabelmeShape[] = [];
  for (const shape of file.shapes) {
    try {
      const { painted, place } = shape;
      shapes.push(painted === undefined ? shape : { ...shape, parts: await outlines(painted, size, place) });
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      problems.add({ kind: 'mask-empty', source, place: shape.place, found: error.message });
    }
  }
  return { ...file, shapes };
}

async function outlines({ png, at }: PaintedMask, size: ImageSize, place: string): Promise<readonly Float64Array[]> {
  const { data, height, width } = await decodeImage(Buffer.from(png, 'base64'), { name: place });
  const bits = new Uint8Array(size[0] * size[1]);
  for (let y = Math.max(0, -at[1]); y < Math.min(height, size[0] - at[1]); y++) {
    for (let x = Math.max(0, -at[0]); x < Math.min(width, size[1] - at[0]); x++)
      if (data[3 * (y * width + x)]! > 0) bits[(y + at[1]) * size[1] + x + at[0]] = 1;
  }
  const parts = Mask.fromRuns(encodeRows(bits, size)).polygons();
  if (parts.length > 0) return parts.map((part) => Float64Array.from(part));
  throw new RcnnError('TARGET_INVALID', { where: place, problem: 'the mask covers no pixel of the image' });
}
