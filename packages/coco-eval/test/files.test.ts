// Files as people have them: each kind is read exactly, or refused by a message that helps.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { isRcnnError, type RcnnError } from '@rcnn/core/errors';
import { afterAll, describe, expect, test } from 'vitest';
import { evaluate, type IoUType, parseDetections, parseGroundTruth, perClassTable } from '../src/index.ts';
import { readDetections, readGroundTruth } from '../src/node/index.ts';
import { digests } from './helpers.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Written {
  truth?: string;
  results?: string;
}

/** Two images, two classes, three objects, three detections, with every id as it is given. */
function written(image: (n: number) => string, category = (n: number) => String(n), id = (n: number) => String(n)) {
  const object = (n: number, i: number, c: number, x: number): string =>
    `{"id": ${id(n)}, "image_id": ${image(i)}, "category_id": ${category(c)}, "bbox": [${x}, 2, 20, 10], "area": 200,
      "iscrowd": 0, "segmentation": [[${x}, 2, ${x + 20}, 2, ${x + 20}, 12, ${x}, 12]]}`;
  const found = (i: number, c: number, x: number, score: number): string =>
    `{"image_id": ${image(i)}, "category_id": ${category(c)}, "bbox": [${x}, 2, 20, 10], "score": ${score}}`;
  return {
    truth: `{"images": [{"id": ${image(1)}, "width": 64, "height": 48}, {"id": ${image(2)}, "width": 64, "height": 48}],
      "categories": [{"id": ${category(1)}, "name": "a"}, {"id": ${category(2)}, "name": "b"}],
      "annotations": [${object(1, 1, 1, 3)}, ${object(2, 1, 2, 30)}, ${object(3, 2, 1, 10)}]}`,
    results: `[${found(1, 1, 4, 0.9)}, ${found(2, 2, 3, 0.8)}, ${found(2, 1, 12, 0.7)}]`,
  };
}

const plain = written(String);

function run({ truth = plain.truth, results = plain.results }: Written, iouType: IoUType = 'bbox') {
  const columns = parseGroundTruth(encode(truth), 'gt.json');
  return evaluate(columns, parseDetections(encode(results), columns, { where: 'dt.json' }), { iouType });
}

function errorOf(body: () => unknown): RcnnError {
  try {
    body();
  } catch (error) {
    if (isRcnnError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('ids', () => {
  const expected = digests(run(plain));

  test.each<[string, (n: number) => string]>([
    ['time stamps in nanoseconds', (n) => `154171516140400000${n}`],
    ['one beyond 2^53', (n) => `900719925474099${n + 1}`],
    ['below -2^53', (n) => `-900719925474099${9 - n}`],
    ['beyond 64 bits', (n) => `1844674407370955161${n + 5}`],
    ['text', (n) => `"img_000${n}"`],
    ['text of numerals', (n) => `"00${n}"`],
    ['text beyond ASCII', (n) => `"猫\\ud83d\\ude0${n}"`],
  ])('of images: %s', (_, image) => {
    expect(digests(run(written(image)))).toEqual(expected);
    expect(run(written(image)).warnings).toEqual([]);
  });

  test.each<[string, (n: number) => string]>([
    ['beyond 2^53', (n) => `154171516140400000${n}`],
    ['text', (n) => `"class ${n}"`],
    ['text with spaces and quotes', (n) => `" \\"${n}"`],
  ])('of categories and annotations: %s', (_, id) => {
    const evaluation = run(written(String, id, id));
    expect(digests(evaluation)).toEqual(expected);
    expect(perClassTable(evaluation)).toBe(perClassTable(run(plain)));
  });

  test('a million is a million however it is written', () => {
    const written1 = written((n) => `${n}000000`);
    const written2 = written((n) => `${n}e6`);
    expect(digests(run({ truth: written1.truth, results: written2.results }))).toEqual(expected);
    const far1 = written((n) => `${n}00000000000000000000`);
    const far2 = written((n) => `${n}e20`);
    expect(digests(run({ truth: far1.truth, results: far2.results }))).toEqual(expected);
  });

  test.each<[string, (n: number) => string, (n: number) => string]>([
    ['text in the results', String, (n) => `"${n}"`],
    ['text in the truth', (n) => `"${n}"`, String],
    ['text beyond 2^53', (n) => `154171516140400000${n}`, (n) => `"154171516140400000${n}"`],
  ])('%s for numbers is matched by value, and said', (_, ofTruth, ofResults) => {
    const evaluation = run({ truth: written(ofTruth).truth, results: written(ofResults).results });
    expect(digests(evaluation)).toEqual(expected);
    expect(evaluation.warnings.join()).toMatch(/dt\.json: 3 ids of images .* matched by their value/);
  });

  test.each<[string, string, string]>([
    ['another text', '"img_9"', '"img_9"'],
    ['another number', '1541715161404000009', '1541715161404000009'],
    ['a neighbor that a double cannot tell', '9007199254740993', '9007199254740993'],
    ['nothing', 'null', 'null'],
    ['a list', '[1]', '[1]'],
    ['numerals that spell no number', '"01"', '"01"'],
    ['control characters', '"\\u001b]0;\\u0007"', String.raw`"\u001b]0;\u0007"`],
    ['a mark of direction', '"\u202egnp"', String.raw`"\u{202e}gnp"`],
  ])('an unknown id is shown as it is written: %s', (_, id, found) => {
    const { truth } = written((n) => (n === 1 ? '9007199254740992' : '7'));
    const error = errorOf(() =>
      run({ truth, results: `[{"image_id": ${id}, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 1}]` }),
    );
    expect(error).toMatchObject({ code: 'DETECTION_INVALID', where: 'dt.json', place: '/0/image_id', found });
  });

  test('a number and its numeral in one list are refused', () => {
    const { truth } = written((n) => (n === 1 ? '"1"' : '1'));
    expect(errorOf(() => run({ truth }))).toMatchObject({ code: 'DUPLICATE_ID', place: '/images' });
  });

  test.each([
    ['numbers', '1541715161404000001'],
    ['text', '"a"'],
    ['small numbers', '5'],
  ])('two annotations with one id are refused: %s', (_, id) => {
    const { truth } = written(String, String, (n) => (n === 2 ? '4' : id));
    expect(errorOf(() => run({ truth }))).toMatchObject({
      code: 'DUPLICATE_ID',
      place: '/annotations/2/id',
      found: id,
    });
  });

  test('text that is the number 0 looks unmatched to COCO too', () => {
    const zero = run(written(String, String, (n) => String(n - 1)));
    expect(digests(run(written(String, String, (n) => `"${n - 1}"`)))).toEqual(digests(zero));
  });
});

describe('values of the wrong kind are shown as they are written', () => {
  const result = (change: string): string =>
    `[{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.5}, {"image_id": 1, "category_id": 1, ${change}}]`;

  test.each([
    ['a score as text', '"score": "0.9"', '/1/score', '"0.9"'],
    ['no score', '"bbox": [1, 2, 3, 4]', '/1/score', 'nothing'],
    ['a NaN', '"score": NaN', '/1/score', 'NaN'],
    ['a box as text', '"score": 1, "bbox": "1 2 3 4"', '/1/bbox', '"1 2 3 4"'],
    ['a box as an object', '"score": 1, "bbox": {"x": 1}', '/1/bbox', '{"x": 1}'],
    ['a box of three', '"score": 1, "bbox": [1, 2, 3]', '/1/bbox', '[1, 2, 3]'],
    ['text in a box', '"score": 1, "bbox": [1, "2", 3, 4]', '/1/bbox/1', '"2"'],
    ['a mask as text', '"score": 1, "segmentation": "0 1"', '/1/segmentation', '"0 1"'],
    ['keypoints in pairs', '"score": 1, "keypoints": [1, 2, 3, 4]', '/1/keypoints', '4 numbers'],
  ])('%s', (_, change, place, found) => {
    expect(errorOf(() => run({ results: result(change) }))).toMatchObject({
      code: 'DETECTION_INVALID',
      where: 'dt.json',
      place,
      found,
    });
  });

  test.each([
    ['an area as text', '"area": 200', '"area": "200"', '/annotations/0/area', '"200"'],
    ['a crowd as text', '"iscrowd": 0', '"iscrowd": "0"', '/annotations/0/iscrowd', '"0"'],
    ['an endless box', '[3, 2, 20, 10]', '[3, 2, Infinity, 10]', '/annotations/0/bbox/2', 'Infinity'],
    ['no id', '"id": 1, "image_id"', '"image_id"', '/annotations/0/id', 'nothing'],
    ['an image without an id', '"id": 1, "width"', '"ID": 1, "width"', '/images/0/id', 'nothing'],
    ['a category of a list', '"id": 1, "name"', '"id": [], "name"', '/categories/0/id', '[]'],
  ])('%s', (_, from, to, place, found) => {
    const truth = plain.truth.replace(from, to);
    expect(truth).not.toBe(plain.truth);
    expect(errorOf(() => run({ truth }))).toMatchObject({ code: 'DATASET_INVALID', where: 'gt.json', place, found });
  });

  test('a crowd of null or false is none, of true is one', () => {
    const crowd = (value: string) =>
      digests(run({ truth: plain.truth.replace('"iscrowd": 0', `"iscrowd": ${value}`) }));
    expect(crowd('null')).toEqual(digests(run(plain)));
    expect(crowd('false')).toEqual(digests(run(plain)));
    expect(crowd('true')).toEqual(crowd('1'));
    expect(crowd('1')).not.toEqual(digests(run(plain)));
  });

  test('an index counts the detections that were skipped', () => {
    const truth = parseGroundTruth(encode(plain.truth));
    const results = `[{"image_id": 1, "category_id": 9, "score": 1}, ${result('"score": 1').slice(1)}`;
    const detections = parseDetections(encode(results), truth, { unknownCategory: 'skip' });
    expect(errorOf(() => evaluate(truth, detections))).toMatchObject({ place: '/2/bbox' });
  });
});

describe('the wrong document', () => {
  test.each([
    ['a dataset', '{"info": {}, "annotations": []}', 'an object with "info", "annotations"', /"annotations" alone/],
    ['an empty object', '{}', 'an empty object', /Write one list/],
    ['lines', '{"image_id": 1}\n{"image_id": 2}', 'an object with "image_id"', /one on each line.*commas between/],
    ['a dict by image', '{"1": []}', 'an object with "1"', /each detection has its image_id/],
    ['an object with a name of its own', '{"\\u001b[2J": 1}', String.raw`an object with "\u001b[2J"`, /$/],
  ])('results that are %s', (_, results, found, hint) => {
    const error = errorOf(() => run({ results }));
    expect(error).toMatchObject({ code: 'DETECTION_INVALID', found });
    expect(error.message).toMatch(/must be a list of detections/);
    expect(error.hint ?? '').toMatch(hint);
  });

  test.each([
    ['results for a dataset', plain.results, 'DATASET_INVALID', /is an object with images/],
    [
      'a list that is an object',
      '{"images": {}}',
      'FILE_MALFORMED',
      /something else is wanted here; found an object, expected a list/,
    ],
    ['two lists of one name', '{"images": [], "images": []}', 'DATASET_INVALID', /twice/],
    ['nothing', '', 'FILE_TRUNCATED', /the file is empty/],
    ['spaces', '  ', 'FILE_TRUNCATED', /ends/],
  ])('%s', (_, truth, code, message) => {
    const error = errorOf(() => run({ truth }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe('encodings', () => {
  const utf16 = (text: string, swap: boolean): Uint8Array => {
    const bytes = new Uint8Array(2 * text.length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), !swap);
    return bytes;
  };
  const named = plain.truth.replace('"a"', '"Bär 猫 \u{1f600}"');

  test.each<[string, (text: string) => Uint8Array]>([
    ['UTF-8 with a mark', (text) => encode(`\ufeff${text}`)],
    ['UTF-16, low byte first', (text) => utf16(`\ufeff${text}`, false)],
    ['UTF-16, high byte first', (text) => utf16(`\ufeff${text}`, true)],
    ['UTF-16 without a mark', (text) => utf16(text, false)],
    ['UTF-16 without a mark, high byte first', (text) => utf16(text, true)],
    ['UTF-16 longer than a piece', (text) => utf16(text + ' '.repeat(2 ** 20), false)],
  ])('%s', (_, bytes) => {
    const truth = parseGroundTruth(bytes(named));
    expect(truth.categoryNames[0]).toBe('Bär 猫 \u{1f600}');
    for (const iouType of ['bbox', 'segm'] as const) {
      const evaluation = evaluate(truth, parseDetections(bytes(plain.results), truth), { iouType });
      expect(digests(evaluation)).toEqual(digests(run(plain, iouType)));
    }
  });

  test.each([
    ['Latin-1', [0x42, 0xe4, 0x72]],
    ['GBK', [0xd6, 0xd0]],
    ['UTF-8 cut in the middle', [0xe7, 0x8c]],
  ])('%s is named as not UTF-8, with its place', (_, letters) => {
    const [before, after] = plain.truth.split('"a"') as [string, string];
    const bytes = Uint8Array.from([...encode(`${before}"`), ...letters, ...encode(`"${after}`)]);
    const lines = before.split('\n');
    expect(errorOf(() => parseGroundTruth(bytes))).toMatchObject({
      code: 'FILE_MALFORMED',
      place: `${lines.length}:${lines.at(-1)!.length + 1}`,
      message: expect.stringContaining('not UTF-8') as string,
    });
  });

  test.each([
    ['UTF-32', [0xff, 0xfe, 0, 0, 0x5b, 0, 0, 0]],
    ['half of a pair', [0xff, 0xfe, 0x5b, 0, 0x3d, 0xd8, 0x5d, 0]],
    ['an odd byte', [0xff, 0xfe, 0x5b, 0, 0x5d]],
  ])('%s is refused', (_, bytes) => {
    expect(errorOf(() => parseGroundTruth(Uint8Array.from(bytes))).code).toBe('FILE_MALFORMED');
  });
});

describe('images without size', () => {
  const noSize = plain.truth.replaceAll(', "width": 64, "height": 48', '');
  const rle = (text: string): string =>
    text.replace(/"segmentation": \[\[[^\]]*\]\]/g, '"segmentation": {"size": [48, 64], "counts": [100, 50, 2922]}');

  test('boxes do not need it', () => expect(digests(run({ truth: noSize }))).toEqual(digests(run(plain))));

  test.each([
    ['polygons', noSize, plain.results],
    ['text for a number', plain.truth.replaceAll('"width": 64', '"width": "64"'), plain.results],
    ['a height of 0', plain.truth.replaceAll('"height": 48', '"height": 0'), plain.results],
    ['boxes as masks', rle(noSize), plain.results],
  ])('masks do: %s', (_, truth, results) => {
    expect(errorOf(() => run({ truth, results }, 'segm'))).toMatchObject({
      code: 'DATASET_INVALID',
      where: 'gt.json',
      place: '/images',
      found: 'image 1',
    });
  });

  test('run lengths bring their own', () => {
    const results = plain.results.replaceAll(
      /"bbox": \[[^\]]*\]/g,
      '"segmentation": {"size": [48, 64], "counts": [100, 50, 2922]}',
    );
    const evaluation = run({ truth: rle(noSize), results }, 'segm');
    expect(digests(evaluation)).toEqual(digests(run({ truth: rle(plain.truth), results }, 'segm')));
  });
});

describe('what is no file is refused at once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'rcnn-files-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const at = (name: string): string => join(directory, name);

  test('a folder, a pipe, a device', () => {
    mkdirSync(at('folder.json'));
    const paths: [string, string][] = [[at('folder.json'), 'a folder']];
    if (process.platform !== 'win32') {
      execFileSync('mkfifo', [at('pipe.json')]);
      paths.push([at('pipe.json'), 'a pipe'], ['/dev/zero', 'a device'], ['/dev/null', 'a device']);
    }
    for (const [path, found] of paths) {
      expect(errorOf(() => readGroundTruth(path))).toMatchObject({ code: 'FILE_REFUSED', where: path, found });
    }
  });

  test('a file that was packed, without its bytes', () => {
    writeFileSync(at('packed.json'), gzipSync('[]'));
    const truth = parseGroundTruth(encode(plain.truth));
    for (const read of [() => readGroundTruth(at('packed.json')), () => readDetections(at('packed.json'), truth)])
      expect(errorOf(read)).toMatchObject({
        code: 'FILE_MALFORMED',
        found: undefined,
        hint: 'It is packed with gzip: unpack it first.',
      });
  });

  test('what is not there, a file for a folder, an empty file', () => {
    writeFileSync(at('empty.json'), '');
    expect(errorOf(() => readGroundTruth(at('none.json'))).code).toBe('FILE_MISSING');
    expect(errorOf(() => readGroundTruth(join(at('empty.json'), 'gt.json'))).code).toBe('FILE_MISSING');
    const truth = parseGroundTruth(encode(plain.truth));
    expect(errorOf(() => readDetections(at('empty.json'), truth))).toMatchObject({
      code: 'FILE_TRUNCATED',
      message: expect.stringContaining('the file is empty') as string,
    });
  });
});

describe('as many categories as a file can name', () => {
  const many = (count: number, objects: number): string => {
    const categories = Array.from({ length: count }, (_, i) => `{"id":${i}}`).join();
    const annotations = Array.from(
      { length: objects },
      (_, i) => `{"id":${i + 1},"image_id":1,"category_id":${i},"bbox":[0,0,9,9],"area":81}`,
    ).join();
    return `{"images":[{"id":1}],"categories":[${categories}],"annotations":[${annotations}]}`;
  };

  test('those without objects take no room', () => {
    const results = '[{"image_id":1,"category_id":0,"bbox":[0,0,9,9],"score":1}]';
    const evaluation = run({ truth: many(200_000, 1), results });
    expect(evaluation.stats[0]).toBeCloseTo(1, 12);
    expect(evaluation.held.precision).toHaveLength(10 * 101 * 4 * 3);
    expect(perClassTable(evaluation).split('\n')).toHaveLength(200_002);
    expect(errorOf(() => evaluation.precision).code).toBe('BUDGET_EXCEEDED');
  });

  test('more objects of different categories than memory holds are refused', () => {
    expect(errorOf(() => run({ truth: many(20_000, 20_000), results: '[]' })).code).toBe('BUDGET_EXCEEDED');
  });

  test('the whole arrays have the others in between', () => {
    const few = run({ truth: many(5, 2), results: '[{"image_id":1,"category_id":1,"bbox":[0,0,9,9],"score":1}]' });
    expect(few.shape[2]).toBe(5);
    const at = (k: number): number => Math.round(few.precision[(5 + k) * 12]!); // of the second recall
    expect([0, 1, 2, 3, 4].map(at)).toEqual([0, 1, -1, -1, -1]);
    expect([0, 1, 2, 3, 4].map((k) => few.recall[12 * k]!)).toEqual([0, 1, -1, -1, -1]);
  });
});

test('rows without keypoints take no room', () => {
  const points = Array.from({ length: 30_000 }, () => '1,1,2').join();
  const others = Array.from({ length: 20_000 }, (_, i) => `,{"id":${i + 2},"image_id":1,"category_id":1}`).join('');
  const truth = `{"images":[{"id":1}],"categories":[{"id":1}],"annotations":[{"id":1,"image_id":1,"category_id":1,
    "keypoints":[${points}]}${others}]}`;
  expect(parseGroundTruth(encode(truth)).keypoints!.values).toHaveLength(2 * 90_000);
});

describe('maxDetections', () => {
  test.each<[IoUType, number[]]>([
    ['bbox', [1, 10, 300]],
    ['segm', [1, 10, 300]],
    ['bbox', [300]],
    ['bbox', [5, 300]],
    ['bbox', [1, 10, 100, 300]],
  ])('%s %j: the numbers are at the most', (iouType, maxDetections) => {
    const columns = parseGroundTruth(encode(plain.truth));
    const detections = parseDetections(encode(plain.results), columns);
    const { stats, summary } = evaluate(columns, detections, { iouType, maxDetections });
    const usual = evaluate(columns, detections, { iouType });
    expect(stats.slice(0, 6)).toEqual(usual.stats.slice(0, 6));
    expect(stats.slice(8)).toEqual(usual.stats.slice(8));
    expect(summary.match(/maxDets=300/g)).toHaveLength(
      maxDetections.length > 2 ? 10 : maxDetections.length > 1 ? 11 : 12,
    );
  });

  test.each([[0], [-1], [1.5], [Number.NaN]])('%d is refused', (n) => {
    expect(errorOf(() => evaluate({ images: [] }, [], { maxDetections: [n] })).code).toBe('INVALID_ARGUMENT');
  });
});
