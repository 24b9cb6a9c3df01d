import { isRcnnError } from '@rcnn/core/errors';
import { Problems } from '../../doctor/problems.ts';
import type { AnnotationSet } from '../../records.ts';
import { openDataset, READERS } from '../read/open.ts';
import type { DatasetReader } from '../read/reader.ts';

/** The two functions of a test runner that the contract needs; vitest's, Jest's, node:test's and Mocha's all fit. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void>): unknown;
}

export interface ReaderContractOptions {
  /** A dataset of the reader's format, with pictures: a file or folder. */
  readonly path: () => string;
  /** A folder with something else in it, which the reader must leave alone. */
  readonly other: () => string;
}

/**
 * The contract of a {@link DatasetReader}, as tests: whatever passes can be put into the list `readers` of `openDataset`, and
 * every command on datasets takes its files.
 *
 * ```ts
 * import { describe, test } from 'vitest';
 * describeReader('csv', csvReader, { path: () => folder, other: () => another }, { describe, test });
 * ```
 */
export function describeReader(
  name: string,
  reader: DatasetReader,
  { path, other }: ReaderContractOptions,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { describe, test } = runner;
  const options = { readers: [reader, ...READERS.filter(({ format }) => format !== reader.format)] };
  const readAll = async (): Promise<readonly AnnotationSet[]> => {
    const sets: AnnotationSet[] = [];
    for (const source of await reader.find(path(), options))
      sets.push(await reader.read(source, new Problems(), options));
    return sets;
  };

  describe(`${name} keeps the contract of a dataset reader`, () => {
    test('it finds splits with names of their own, in its own format', async () => {
      const sources = await reader.find(path(), options);
      assert(sources.length > 0, 'nothing was found');
      assert(new Set(sources.map(({ split }) => split)).size === sources.length, 'two splits have one name');
      for (const { format } of sources) assert(format === reader.format, `a source has the format '${format}'`);
    });

    test('it leaves the files of others alone', async () => {
      const found = await reader.find(other(), options);
      assert(found.length === 0, `${found.length} splits were found in a folder of another format`);
    });

    test('every object names an image and a category that are there, and says where it stands', async () => {
      for (const { images, annotations, categories } of await readAll()) {
        const imageIds = new Set(images.map(({ id }) => id));
        const categoryIds = new Set(categories.map(({ id }) => id));
        for (const { imageId, categoryId, place } of annotations) {
          assert(imageIds.has(imageId), `${place} names the image ${imageId}, which is not there`);
          assert(categoryIds.has(categoryId), `${place} names the category ${categoryId}, which is not there`);
          assert(place !== '', 'an object does not say where it stands');
        }
        assert(new Set(annotations.map(({ id }) => id)).size === annotations.length, 'two objects have one id');
        assert(
          images.every(({ size }) => size.every((side) => side > 0)),
          'an image has no size',
        );
      }
    });

    test('reading twice gives the same', async () => {
      const plain = async (): Promise<string> => JSON.stringify(await readAll(), plainValue);
      assert((await plain()) === (await plain()), 'the second reading differs from the first');
    });

    test('the dataset opens, and its pictures have the sizes of their records', async () => {
      for (const { split } of await reader.find(path(), options)) {
        const dataset = await openDataset(path(), { ...options, format: reader.format, split });
        for (const image of dataset.images) await dataset.store.load(image);
      }
    });

    test('a split that is gone is an error of ours, not one of the file system', async () => {
      const [source] = await reader.find(path(), options);
      const gone = { ...source!, annotations: `${source!.annotations}-gone`, images: `${source!.images}-gone` };
      const problems = new Problems();
      const ended = await reader.read(gone, problems, options).catch((error: unknown) => error);
      const isTold = isRcnnError(ended) || problems.count('error') > 0 || (ended as AnnotationSet).images?.length === 0;
      assert(isTold, `reading it ended in ${String(ended)}`);
    });
  });
}

function plainValue(_: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value;
}

function assert(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`The contract of a dataset reader is broken: ${problem}.`);
}
