import { PatchMask } from '@rcnn/transforms';
import { expect, test } from 'vitest';
import { type Batch, createLoader, type Loader, type LoaderOptions, shapesDataset } from '../src/index.ts';

const dataset = shapesDataset(23, { seed: 5, size: [48, 64] });

async function all(loader: Loader): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of loader) batches.push(batch);
  return batches;
}

function digest(data: ArrayLike<number>): number {
  let sum = 7;
  for (let i = 0; i < data.length; i++) sum = (sum * 31 + data[i]! + i) % 1e9;
  return sum;
}

function fingerprint({ indices, images, targets }: Batch): unknown {
  return {
    indices,
    pixels: images.map(({ data, height, width }) => [height, width, digest(data)]),
    targets: targets.map(({ boxes, labels, masks }) => [
      [...boxes],
      [...labels],
      masks!.map((mask) => [...mask.runLengths().counts]),
    ]),
  };
}

const options: LoaderOptions = { batchSize: 4, transform: 'level3', seed: 11, epoch: 2 };

test('every sample comes once per epoch, in another order the next time', async () => {
  const first = (await all(createLoader(dataset, options))).flatMap(({ indices }) => indices);
  const second = (await all(createLoader(dataset, { ...options, epoch: 3 }))).flatMap(({ indices }) => indices);
  expect([...first].sort((a, b) => a - b)).toEqual([...dataset.images.keys()]);
  expect([...second].sort((a, b) => a - b)).toEqual([...dataset.images.keys()]);
  expect(second).not.toEqual(first);
});

test('the same seed and epoch give the same batches, whatever is made ahead', async () => {
  const once = (await all(createLoader(dataset, { ...options, prefetch: 1 }))).map(fingerprint);
  const again = (await all(createLoader(dataset, { ...options, prefetch: 5 }))).map(fingerprint);
  expect(again).toEqual(once);
});

test('with boxes from masks every box is the smallest around its mask; else only those that were made anew', async () => {
  const exact = async (boxes?: 'masks'): Promise<readonly boolean[]> => {
    const loader = createLoader(dataset, { ...options, transform: 'lsj', ...(boxes && { boxes }) });
    return (await all(loader)).flatMap(({ targets }) =>
      targets.flatMap((target) =>
        target.masks!.map((mask, i) => {
          const { x, y, width, height } = PatchMask.from(mask);
          return [x, y, x + width, y + height].every((side, k) => target.boxes[4 * i + k] === side);
        }),
      ),
    );
  };
  expect((await exact('masks')).every(Boolean)).toBe(true);
  expect((await exact()).every(Boolean)).toBe(false);
});

test('an epoch resumes in its middle with the batches it would have had', async () => {
  const whole = (await all(createLoader(dataset, options))).map(fingerprint);
  const rest = await all(createLoader(dataset, { ...options, startIndex: 2 }));
  expect(rest.map(({ index }) => index)).toEqual([2, 3, 4, 5]);
  expect(rest.map(fingerprint)).toEqual(whole.slice(2));
});
