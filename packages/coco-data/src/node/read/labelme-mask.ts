import type { ImageSize } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { encodeRows, Mask } from '@rcnn/masks';
import type { Problems } from '../../doctor/problems.ts';
import type { LabelmeFile, LabelmeShape, PaintedMask } from '../../formats/labelme/parse-labelme.ts';
import { decodeImage } from '../images/decode.ts';
import type { FolderImagesOptions } from '../images/folder-images.ts';

/** The file with the outlines of its painted masks; one that cannot be decoded is reported and left out. */
export async function withPaintedMasks(
  file: LabelmeFile,
  size: ImageSize,
  source: string,
  problems: Problems,
  options: FolderImagesOptions,
): Promise<LabelmeFile> {
  if (file.shapes.every(({ painted }) => painted === undefined)) return file;
  const shapes: LabelmeShape[] = [];
  for (const shape of file.shapes) {
    try {
      const { painted, place } = shape;
      shapes.push(painted === undefined ? shape : { ...shape, parts: await outlines(painted, size, place, options) });
    } catch (error) {
      if (!isRcnnError(error)) throw error;
      const kind = isRcnnError(error, 'IMAGE_TOO_LARGE') ? 'image-too-large' : 'mask-empty';
      problems.add({ kind, source, place: shape.place, found: error.message });
    }
  }
  return { ...file, shapes };
}

/** The outlines of the part of a painted mask that lies in the image: of the image itself, only the sides are asked. */
async function outlines(
  { png, at: [left, top] }: PaintedMask,
  [imageHeight, imageWidth]: ImageSize,
  place: string,
  options: FolderImagesOptions,
): Promise<readonly Float64Array[]> {
  const bytes = Buffer.from(png, 'base64');
  const { data, height, width } = await decodeImage(bytes, { ...options, orientation: 'ignore', name: place });
  const [x0, y0] = [Math.max(0, -left), Math.max(0, -top)];
  const rows = Math.min(height, imageHeight - top) - y0;
  const columns = Math.min(width, imageWidth - left) - x0;
  if (rows <= 0 || columns <= 0) throw coversNothing(place);
  const bits = new Uint8Array(rows * columns);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) if (data[3 * ((y + y0) * width + x + x0)]! > 0) bits[y * columns + x] = 1;
  const parts = Mask.fromRuns(encodeRows(bits, [rows, columns])).polygons();
  if (parts.length === 0) throw coversNothing(place);
  return parts.map((part) => Float64Array.from(part, (value, i) => value + (i % 2 === 0 ? left + x0 : top + y0)));
}

function coversNothing(place: string): RcnnError {
  return new RcnnError('TARGET_INVALID', { where: place, problem: 'the mask covers no pixel of the image' });
}
