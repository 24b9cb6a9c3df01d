// Masks that are pictures themselves: what they cost follows from what is in them, not from what a file claims.
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { instancesOf } from '../src/index.ts';
import { convertDataset, inspectDataset, openDataset } from '../src/node/index.ts';
import { type Files, putFiles, temporaryFolder } from './folders.ts';
import { png } from './plain-picture.ts';

const root = temporaryFolder();

const put = (folder: string, files: Files): string => putFiles(join(root, folder), files);

/** Kind, place and words of every error that the doctor finds. */
async function errors(path: string, options: object = {}): Promise<readonly string[]> {
  const { report } = await inspectDataset(path, options);
  return report.problems
    .filter(({ severity }) => severity === 'error')
    .flatMap(({ kind, examples }) => examples.map(({ place, found }) => `${kind} ${place}: ${found}`));
}

/** A grey picture of these rows. */
function grey(...rows: readonly (readonly number[])[]): Promise<Buffer> {
  const raw = { width: rows[0]!.length, height: rows.length, channels: 1 as const };
  return sharp(Uint8Array.from(rows.flat()), { raw }).png().toBuffer();
}

describe('labelme', () => {
  const painted = async (corner: readonly [number, number], more: object = {}): Promise<object> => ({
    shapes: [
      {
        label: 'cat',
        shape_type: 'mask',
        mask: (await grey([0, 255, 255], [255, 255, 0])).toString('base64'),
        points: [corner, corner],
      },
    ],
    imagePath: 'a.png',
    imageHeight: 12,
    imageWidth: 20,
    ...more,
  });

  test.each<[string, readonly [number, number], readonly number[]]>([
    ['inside', [5, 4], [5, 4, 8, 6]],
    ['over the upper left corner', [-1, -1], [0, 0, 1, 1]],
    ['over the lower right corner', [18, 11], [19, 11, 20, 12]],
  ])('a mask %s of the picture', async (name, corner, box) => {
    const path = put(`labelme/${name}`, { 'a.json': await painted(corner), 'a.png': png });
    expect(await errors(path)).toEqual([]);
    const dataset = await openDataset(path);
    expect([...dataset.sample(0).target.boxes]).toEqual(box);
    expect(dataset.sample(0).target.masks![0]!.runLengths().size).toEqual([12, 20]);
  });

  test('a mask beside the picture covers none of it', async () => {
    const path = put('labelme/beside', { 'a.json': await painted([30, 4]), 'a.png': png });
    expect(await errors(path)).toEqual([
      'mask-empty a.json shape 1: a.json shape 1: the mask covers no pixel of the image.',
    ]);
  });

  test('a size that no picture has is a problem of its file alone', async () => {
    const huge = await painted([5, 4], { imageHeight: 2e9, imageWidth: 2e9 });
    const outline = { label: 'cat', points: [[2, 3], [8, 3], [8, 9]] }; // biome-ignore format: short
    const path = put('labelme/huge', {
      'a.json': huge,
      'a.png': png,
      'b.json': await painted([5, 4], { imagePath: 'b.png' }),
      'b.png': png,
      'c.json': await painted([5, 4], { imagePath: 'c.png', shapes: [outline], imageHeight: 2e9, imageWidth: 2e9 }),
      'c.png': png,
    });
    const size = 'the file has 20x12, its record 2000000000x2000000000';
    const mask =
      'Mask.fromPolygons: impossible mask size; found [2000000000, 2000000000], expected whole numbers [height, width] with at most 2^32 - 1 pixels.';
    expect(await errors(path)).toEqual([
      `image-size a.json: a.png: ${size}`,
      `image-size c.json: c.png: ${size}`, // as one with an outline
      `rle-invalid a.json shape 1/segmentation: annotation 1 of image a.png: ${mask}`,
      `rle-invalid c.json shape 1/segmentation: annotation 3 of image c.png: ${mask}`,
    ]);
    const dataset = await openDataset(path, { policy: 'drop' });
    await expect(dataset.store.load(dataset.images[0]!)).rejects.toMatchObject({ code: 'IMAGE_SIZE_MISMATCH' });
    const [copy] = await convertDataset(path, `${path}-copy`, { policy: 'drop', maxSkipRate: 1 });
    expect(copy).toMatchObject({ images: 1, objects: 1 });
  });

  test('a mask of more pixels than allowed is told, and the setting that allows them is heard', async () => {
    const path = put('labelme/limit', { 'a.json': await painted([5, 4]), 'a.png': png });
    await expect(openDataset(path, { maxPixels: 5 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      place: 'a.json shape 1',
    });
    expect((await openDataset(path, { maxPixels: 6 })).annotations(0)).toHaveLength(1);
  });
});

describe('Pascal VOC', () => {
  const object = (box: readonly number[]): string =>
    `<object><name>cat</name><bndbox>${['xmin', 'ymin', 'xmax', 'ymax'].map((side, i) => `<${side}>${box[i]}</${side}>`).join('')}</bndbox></object>`;
  const xml = (...boxes: readonly (readonly number[])[]): string =>
    `<annotation>${boxes.map(object).join('')}</annotation>`;
  const image = (...colors: readonly (readonly [number, number, number])[]) => ({
    data: Uint8Array.from(colors.flat()),
    height: 2,
    width: colors.length / 2,
    channels: 3 as const,
  });

  test('objects are run lengths, column by column', () => {
    const [none, one, two, border] = [0, 1, 2, 255].map((value) => [value, value, value] as const);
    const masks = instancesOf(image(none!, one!, two!, one!, one!, border!));
    expect([...masks].map(([index, mask]) => [index, [...mask.runLengths().counts], mask.box(), mask.area()])).toEqual([
      [1, [1, 3, 2], [0, 0, 2, 2], 3],
      [2, [4, 1, 1], [2, 0, 3, 1], 1],
    ]);
    expect([...instancesOf(image(one!, two!)).get(2)!.runLengths().counts]).toEqual([1, 1]); // up to the last pixel
  });

  test('a picture of more colours than objects was smoothed', () => {
    const colors = (count: number) => Array.from({ length: count }, (_, i) => [i & 255, i >> 8, 7] as const);
    expect(instancesOf(image(...colors(254))).size).toBe(254);
    expect(instancesOf(image(...colors(300)), 300).size).toBe(300); // as many objects
    expect(() => instancesOf(image(...colors(300)), 3, 'SegmentationObject/a.png')).toThrow(
      'SegmentationObject/a.png: the segmentation has more colours than objects; found more than 254, expected one colour for each object. Save it without smoothing, which mixes colours along edges.',
    );
  });

  test('a segmentation that was smoothed costs its file alone', async () => {
    const colors = Uint8Array.from(Array.from({ length: 20 * 15 }, (_, i) => [i & 255, i >> 8, 7]).flat());
    const smoothed = await sharp(colors, { raw: { width: 20, height: 15, channels: 3 } }).png().toBuffer(); // biome-ignore format: short
    const rows = (fill: (x: number, y: number) => number): number[][] =>
      Array.from({ length: 12 }, (_, y) => Array.from({ length: 20 }, (_, x) => fill(x, y)));
    const path = put('voc', {
      'Annotations/a.xml': xml([3, 4, 8, 9]),
      'Annotations/b.xml': xml([3, 4, 8, 9]),
      'JPEGImages/a.png': await sharp({ create: { width: 20, height: 15, channels: 3, background: '#963' } }).png().toBuffer(), // biome-ignore format: short
      'JPEGImages/b.png': png,
      'SegmentationObject/a.png': smoothed,
      'SegmentationObject/b.png': await grey(...rows((x, y) => (x >= 2 && x < 8 && y >= 3 && y < 9 ? 1 : 0))),
    });
    expect(await errors(path)).toEqual([
      'file-malformed Annotations/a.xml: SegmentationObject/a.png: the segmentation has more colours than objects; found more than 254, expected one colour for each object. Save it without smoothing, which mixes colours along edges.',
    ]);
    const dataset = await openDataset(path, { policy: 'drop' });
    expect(dataset.images.map(({ file }) => file)).toEqual(['b.png']);
    expect([...dataset.sample(0).target.area!]).toEqual([36]);
    await expect(openDataset(path, { maxPixels: 239 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });
});
