import { isRcnnError } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CocoDataset, type CocoResult, evaluate, parseDetections, parseGroundTruth } from '../src/index.ts';
import { JsonCursor } from '../src/read/json-cursor.ts';
import { digests, readJson } from './helpers.ts';
import { randomDataset } from './reference-cases.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('numbers are read as JSON.parse reads them', () => {
  const read = (text: string): number => new JsonCursor(encode(`${text} `), 'test').number();

  test('doubles of every size and length', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(read(JSON.stringify(value))).toBe(Object.is(value, -0) ? 0 : value);
      }),
      { numRuns: 2000 },
    );
  });

  test('decimals of 1 to 25 digits, also in the middle between two doubles', () => {
    const random = new Random(5);
    for (let i = 0; i < 60_000; i++) {
      let text = random.chance(0.2) ? '-' : '';
      text += random.chance(0.3) ? '0' : String(1 + random.integer(9999));
      const digits = random.integer(21);
      if (digits > 0) text += '.';
      for (let d = 0; d < digits; d++) text += String(random.integer(10));
      const value = read(text);
      if (value !== JSON.parse(text)) throw new Error(`${text} is read as ${value}`);
    }
    for (const text of [
      '9007199254740993',
      '9007199254740993.5',
      '0.500000000000000166533453693773481063544750213623046875',
    ]) {
      expect(read(text)).toBe(JSON.parse(text));
    }
  });

  test.each(['', '-', '.5', '1.', '01', '1e', '1e+', '--1', '+1'])("'%s' is no number", (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^FILE_/) }));
  });
});

describe('files', () => {
  test('give what their parsed form gives', () => {
    for (let seed = 0; seed < 120; seed++) {
      const { kind, truth, results, useCategories } = randomDataset(seed);
      const columns = parseGroundTruth(encode(JSON.stringify(truth, null, seed % 3)));
      const found = parseDetections(encode(JSON.stringify(results, null, seed % 2)), columns);
      const options = { iouType: kind, useCategories };
      expect(digests(evaluate(columns, found, options))).toEqual(digests(evaluate(truth, results, options)));
    }
  });

  const { truth, results } = randomDataset(1);
  const truthText = JSON.stringify({ info: { year: 2017, text: 'a "b" \\ é' }, licenses: null, ...truth });
  const resultText = JSON.stringify(results);
  const columns = parseGroundTruth(encode(truthText));

  test('cut anywhere, they are refused with line and column', () => {
    const bytes = encode(truthText);
    for (let cut = 0; cut < bytes.length; cut += Math.max(1, Math.floor(bytes.length / 500))) {
      expect(() => parseGroundTruth(bytes.subarray(0, cut))).toThrow(
        expect.objectContaining({ code: 'FILE_TRUNCATED', place: expect.stringMatching(/^\d+:\d+$/) }),
      );
    }
  });

  test('with any byte changed, they are read or refused, never anything else', () => {
    const random = new Random(9);
    const bytes = encode(resultText);
    for (let i = 0; i < 1500; i++) {
      const copy = bytes.slice();
      for (let n = 1 + random.integer(3); n > 0; n--) copy[random.integer(copy.length)] = random.integer(256);
      try {
        evaluate(columns, parseDetections(copy, columns), { iouType: 'segm' });
      } catch (error) {
        if (!isRcnnError(error)) throw error;
      }
    }
  });

  test.each([
    ['an object', '{}', '1:1'],
    ['something after the end', '[]\n x', '2:2'],
    ['no comma', resultText.replace('},{', '} {'), `1:${resultText.indexOf('},{') + 3}`],
    ['deep nesting', `[{"a": ${'['.repeat(100_000)}`, '1:73'],
  ])('%s is refused at its place', (_, text, place) => {
    expect(() => parseDetections(encode(text), columns)).toThrow(expect.objectContaining({ place }));
  });

  test.each([
    ['NaN score', '[{"image_id": IMG, "category_id": CAT, "bbox": [1, 2, 3, 4], "score": NaN}]', '/0/score'],
    ['endless box', '[{"image_id": IMG, "category_id": CAT, "bbox": [1, 2, -Infinity, 4], "score": 1}]', '/0/bbox/2'],
    ['score as text', '[{"image_id": IMG, "category_id": CAT, "bbox": [1, 2, 3, 4], "score": "1"}]', '/0/score'],
    ['unknown image', '[{"image_id": -5, "category_id": CAT, "bbox": [1, 2, 3, 4], "score": 1}]', '/0/image_id'],
  ])('%s is refused by the index of the detection', (_, text, place) => {
    const filled = text.replace('IMG', String(columns.imageIds[0])).replace('CAT', String(columns.categoryIds[0]));
    expect(() => parseDetections(encode(filled), columns)).toThrow(
      expect.objectContaining({ code: 'DETECTION_INVALID', place }),
    );
  });

  test('RLE strings with escaped backslashes, however written, are the same masks', () => {
    const drawn = readJson('annotations.json') as CocoDataset;
    const masks = readJson('detections.json') as CocoResult[];
    const text = JSON.stringify(masks);
    expect(text).toContain(String.raw`\\`);
    const expected = digests(evaluate(drawn, masks, { iouType: 'segm' }));
    const gt = parseGroundTruth(encode(JSON.stringify(drawn)));
    for (const written of [text, text.replaceAll(String.raw`\\`, String.raw`\u005c`)]) {
      expect(digests(evaluate(gt, parseDetections(encode(written), gt), { iouType: 'segm' }))).toEqual(expected);
    }
  });
});
