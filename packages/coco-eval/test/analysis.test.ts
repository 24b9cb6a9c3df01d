import { describe, expect, test } from 'vitest';
import {
  type CocoDataset,
  type CocoResult,
  confusionMatrix,
  errorBreakdown,
  errorPlot,
  evaluate,
  evaluateVOC,
  perClass,
  perClassTable,
  precisionRecallCurve,
  precisionRecallPlot,
} from '../src/index.ts';
import { readJson } from './helpers.ts';

/** One image of 200 x 200, classes 1 (cat) and 2 (dog); objects are 20 x 20 squares at x, y. */
function scene(
  objects: readonly [category: number, x: number, y: number, crowd?: number][],
  found: readonly [category: number, x: number, y: number, score: number][],
): [CocoDataset, CocoResult[]] {
  return [
    {
      images: [{ id: 1, height: 200, width: 200 }],
      categories: [
        { id: 1, name: 'cat' },
        { id: 2, name: 'dog' },
      ],
      annotations: objects.map(([category_id, x, y, iscrowd = 0], i) => ({
        id: i + 1,
        image_id: 1,
        category_id,
        iscrowd,
        area: 400,
        bbox: [x, y, 20, 20],
      })),
    },
    found.map(([category_id, x, y, score]) => ({ image_id: 1, category_id, bbox: [x, y, 20, 20], score })),
  ];
}

describe('the error breakdown', () => {
  const [truth, results] = scene(
    [
      [1, 0, 0], // found
      [1, 50, 0], // called a dog
      [2, 100, 0], // found in a poor place
      [2, 150, 0], // never found
      [1, 0, 100], // found in a poor place and called a dog
    ],
    [
      [1, 0, 0, 0.9],
      [1, 1, 0, 0.8], // the second on one object
      [2, 50, 0, 0.7],
      [2, 110, 0, 0.6], // IoU 1/3
      [2, 10, 100, 0.5], // IoU 1/3, wrong class
      [1, 150, 150, 0.4], // nothing there
    ],
  );
  const { ap, counts, gain } = errorBreakdown(truth, results);

  test('gives every false detection one kind of error', () => {
    expect(counts).toEqual({ classification: 1, localisation: 1, both: 1, duplicate: 1, background: 1, missed: 2 });
  });

  test('computes what putting one kind right would gain', () => {
    // Cat: 3 objects, one right at rank 1, so 34 of 101 recalls have precision 1. Dog: 2 objects, none found.
    expect(ap).toBeCloseTo(34 / 101 / 2, 12);
    // The dog that is a cat becomes the third cat by score: precision 1 to 1/3 of recall, then 2/3 to 2/3.
    expect(gain.classification).toBeCloseTo((34 + (33 * 2) / 3) / 101 / 2 - ap, 12);
    // The second dog's place is put right: right at rank 2, behind the misnamed cat.
    expect(gain.localisation).toBeCloseTo((51 * 0.5) / 101 / 2, 12);
    expect(gain.both).toBe(0); // dogs: nothing right either way
    expect(gain.duplicate).toBe(0); // nothing right after it
    // Without the missed cat and the missed dog: half of two cats, and still no dog.
    expect(gain.missed).toBeCloseTo(51 / 101 / 2 - ap, 12);
  });

  test('crowds swallow detections', () => {
    expect(errorBreakdown(...scene([[1, 0, 0, 1]], [[1, 0, 0, 0.9]])).counts.background).toBe(0);
  });

  test('keypoints have none', () => {
    expect(() => errorBreakdown(truth, results, { iouType: 'keypoints' as 'bbox' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

test('the confusion matrix counts what each object was taken for', () => {
  const [truth, results] = scene(
    [
      [1, 0, 0],
      [1, 50, 0],
      [2, 100, 0],
      [2, 0, 100, 1],
    ],
    [
      [1, 0, 0, 0.9],
      [2, 50, 0, 0.8],
      [1, 0, 150, 0.7], // nothing there
      [2, 0, 100, 0.6], // on a crowd: not counted
      [2, 100, 0, 0.1], // below the score threshold
    ],
  );
  const { labels, counts } = confusionMatrix(truth, results);
  expect(labels).toEqual(['cat', 'dog', 'background']);
  expect([...counts]).toEqual([1, 1, 0, 0, 0, 1, 1, 0, 0]);
});

describe('VOC', () => {
  // Ranked right, wrong, right with three objects: precision 1, then 2/3.
  const [truth, results] = scene(
    [
      [1, 0, 0],
      [1, 50, 0],
      [1, 100, 0],
      [1, 150, 0, 1], // difficult
    ],
    [
      [1, 0, 0, 0.9],
      [1, 0, 150, 0.8],
      [1, 50, 0, 0.7],
      [1, 150, 0, 0.6],
    ],
  );

  test('the area under the curve', () => {
    const { ap, meanAP } = evaluateVOC(truth, results);
    expect(ap[0]).toBeCloseTo((1 + 2 / 3) / 3, 12);
    expect(ap[1]).toBeNaN(); // no dogs
    expect(meanAP).toBe(ap[0]);
  });

  test('eleven points', () => {
    // Recalls 0 to 0.3 have precision 1, 0.4 to 0.6 have 2/3.
    expect(evaluateVOC(truth, results, { metric: '11point' }).ap[0]).toBeCloseTo((4 + (3 * 2) / 3) / 11, 12);
  });
});

describe('tables and plots of the drawn dataset', () => {
  const truth = readJson('annotations.json') as CocoDataset;
  const results = readJson('detections.json') as CocoResult[];
  const evaluation = evaluate(truth, results, { iouType: 'segm' });

  test('the categories average to the whole', () => {
    const scores = perClass(evaluation).filter(({ ap }) => ap >= 0);
    expect(scores.reduce((sum, { ap }) => sum + ap, 0) / scores.length).toBeCloseTo(evaluation.stats[0]!, 12);
    expect(scores.reduce((sum, { ar }) => sum + ar, 0) / scores.length).toBeCloseTo(evaluation.stats[8]!, 12);
    expect(perClassTable(evaluation)).toMatch(
      /^category +AP +AP50 +AP75 +AP small +AP medium +AP large +AR\nclass 1 +0\.184/,
    );
  });

  test('curves fall, and average to AP50', () => {
    const { precision, recall } = precisionRecallCurve(evaluation, { iouThreshold: 0.5 });
    expect(recall).toHaveLength(101);
    expect(precision.every((p, i) => i === 0 || p <= precision[i - 1]!)).toBe(true);
    expect(precision.reduce((sum, p) => sum + p, 0) / 101).toBeCloseTo(evaluation.stats[1]!, 12);
    expect(() => precisionRecallCurve(evaluation, { iouThreshold: 0.51 })).toThrow(/no such IoU threshold/);
  });

  test('plots are whole SVG documents that name what they show', () => {
    const curves = precisionRecallPlot(evaluation);
    expect(curves).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*>.*<\/svg>\n$/s);
    expect(curves.match(/<polyline/g)).toHaveLength(5);
    expect(curves).not.toContain('NaN');
    const bars = errorPlot(errorBreakdown(truth, results, { iouType: 'segm' }));
    expect(bars).toContain('Localisation');
    expect(bars.match(/<rect/g)).toHaveLength(7);
    expect(bars).not.toContain('NaN');
  });

  test('names of categories cannot break out of the picture', () => {
    const named = { ...truth, categories: truth.categories!.map((c) => ({ ...c, name: '<script>"&' })) };
    const svg = precisionRecallPlot(evaluate(named, results), { categoryId: truth.categories![0]!.id });
    expect(svg).toContain('&lt;script&gt;&quot;&amp;');
    expect(svg).not.toContain('<script>');
  });
});
