import type { Dataset } from '@rcnn/coco-data';
import { expect, test } from 'vitest';
import { checkMirroring, checkOffers, crowdsHint } from '../src/run/check-offers.ts';

interface Annotation {
  readonly crowd?: boolean;
  readonly segmentation?: object;
  readonly keypoints?: object;
}

/** A dataset of one image with these objects, as far as the check looks at it, and one left out with `others`. */
function dataset(objects: readonly Annotation[], others: readonly Annotation[] = []): Dataset {
  const hasMasks = [...objects, ...others].every(({ segmentation }) => segmentation !== undefined);
  return { name: 'photos', length: 1, annotations: () => objects, hasMasks } as unknown as Dataset;
}

const masks = { learnsFrom: ['masks'] } as const;
const outlined = { segmentation: {} };

test('boxes alone are refused for a model of masks, with what would do', () => {
  expect(() => checkOffers(dataset([{}, {}]), masks, 'data')).toThrow(
    /no masks, and this model learns from them; found 2 of 2 objects without masks. Train an architecture that learns boxes alone/,
  );
});

test('the architectures that would do are named', () => {
  const known = [
    { name: 'mask', learnsFrom: ['masks'] },
    { name: 'both', learnsFrom: ['masks', 'keypoints'] },
    { name: 'box', learnsFrom: [] },
    { name: 'of somebody else' },
  ] as const;
  expect(() => checkOffers(dataset([{}]), masks, 'data', known)).toThrow(/\(arch, --arch box\)/);
  const points = { learnsFrom: ['keypoints'] } as const;
  expect(() => checkOffers(dataset([outlined]), points, 'data', known)).toThrow(/\(arch, --arch mask, box\)/);
});

test('a few objects without masks are counted, and the doctor names them', () => {
  expect(() => checkOffers(dataset([outlined, {}, outlined]), masks, 'data')).toThrow(
    /some objects have no masks; found 1 of 3 objects without masks. 'mask-rcnn doctor' names each/,
  );
});

test('validation data are asked for the same, and said to be those', () => {
  const known = [{ name: 'box', learnsFrom: [] }] as const;
  const check = (objects: readonly Annotation[]) => () =>
    checkOffers(dataset(objects), masks, 'data', known, 'validation');
  expect(check([outlined, outlined])).not.toThrow();
  expect(check([outlined, {}])).toThrowError(
    expect.objectContaining({
      code: 'DATASET_INVALID',
      where: 'data',
      place: "validation data 'photos'",
      found: '1 of 2 objects without masks',
      hint:
        "'mask-rcnn doctor' names each of them. Train an architecture that learns boxes alone (arch, --arch box), or " +
        'outline the objects and export polygons or masks. Other validation data are named with valData (--val-data).',
    }) as Error,
  );
  expect(check([{}, {}])).toThrow(/the objects have no masks, and this model learns from them; found 2 of 2 objects/);
});

test('what is not learned from must have masks too, for no object is given one otherwise', () => {
  const message = /not every other annotation, and so none is read; found crowds without a mask, or/;
  expect(() => checkOffers(dataset([outlined, { crowd: true }]), masks, 'data')).toThrow(message);
  expect(() => checkOffers(dataset([outlined], [{}]), masks, 'data')).toThrow(message);
  expect(() => checkOffers(dataset([outlined], [{}]), { learnsFrom: [] }, 'data')).not.toThrow();
});

test('crowds and empty images lack nothing, and models of boxes ask for nothing', () => {
  expect(() => checkOffers(dataset([outlined, { crowd: true, ...outlined }]), masks, 'data')).not.toThrow();
  expect(() => checkOffers(dataset([{ crowd: true }]), masks, 'data')).not.toThrow();
  expect(() => checkOffers(dataset([]), masks, 'data')).not.toThrow();
  expect(() => checkOffers(dataset([{}]), { learnsFrom: [] }, 'data')).not.toThrow();
});

test('data of crowds alone say so', () => {
  expect(crowdsHint(dataset([{ crowd: true }, { crowd: true }]))).toMatch(/^All 2 objects are crowds .*CVAT/);
  expect(crowdsHint(dataset([{ crowd: true }, {}]))).toBe('');
  expect(crowdsHint(dataset([]))).toBe('');
});

test('mirrored images are refused where nobody knows which key points change places', () => {
  const points = { learnsFrom: ['keypoints'] } as const;
  const unknown = { numKeypoints: 4, keypointScheme: undefined };
  const named = { numKeypoints: 4, keypointScheme: { names: [], skeleton: [], partners: [1, 0, 2, 3] } };
  expect(() => checkMirroring(unknown, points, { augment: 'level2' })).toThrow(/'level2' mirrors images.*no names of/);
  expect(() => checkMirroring(unknown, points, { augment: 'none' })).not.toThrow();
  expect(() => checkMirroring({ ...unknown, numKeypoints: 17 }, points, { augment: 'hflip' })).not.toThrow();
  expect(() => checkMirroring(named, points, { augment: 'hflip' })).not.toThrow();
  expect(() => checkMirroring(unknown, masks, { augment: 'hflip' })).not.toThrow();
});
