import { describe, expect, test } from 'vitest';
import {
  type CocoDataset,
  type CocoResult,
  classificationReport,
  classificationReportTable,
  confusionMatrix,
  confusionPlot,
} from '../src/index.ts';
import { readJson } from './helpers.ts';

/** One image; objects and detections are squares of 20 at x, far apart or in the same place. */
function scene(
  objects: readonly (readonly [category: number, x: number, crowd?: number])[],
  found: readonly (readonly [category: number, x: number, score: number])[],
): [CocoDataset, CocoResult[]] {
  return [
    {
      images: [{ id: 1, height: 40, width: 4000 }],
      categories: ['cat', 'dog', 'cow'].map((name, i) => ({ id: i + 1, name })),
      annotations: objects.map(([category_id, x, iscrowd = 0], i) => ({
        id: i + 1,
        image_id: 1,
        category_id,
        iscrowd,
        area: 400,
        bbox: [x, 0, 20, 20],
      })),
    },
    found.map(([category_id, x, score]) => ({ image_id: 1, category_id, bbox: [x, 0, 20, 20], score })),
  ];
}

const CAT = 1;
const DOG = 2;

describe('the classification report', () => {
  const [truth, results] = scene(
    [
      [CAT, 0],
      [CAT, 100],
      [CAT, 200],
      [DOG, 300],
      [CAT, 400, 1],
    ],
    [
      [CAT, 0, 0.9],
      [CAT, 1, 0.8], // the second on one object
      [CAT, 100, 0.6],
      [CAT, 400, 0.7], // on a crowd: not counted
      [DOG, 200, 0.5], // a cat
      [DOG, 300, 0.4],
      [CAT, 200, 0.2],
    ],
  );

  test('counts from the score threshold on', () => {
    const { classes, macro, weighted } = classificationReport(truth, results, { scoreThreshold: 0.5 });
    expect(
      classes.map(({ name, support, truePositives, falsePositives }) => [name, support, truePositives, falsePositives]),
    ).toEqual([
      ['cat', 3, 2, 1],
      ['dog', 1, 0, 1],
      ['cow', 0, 0, 0],
    ]);
    expect(classes[0]).toMatchObject({ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 });
    expect(classes[1]).toMatchObject({ precision: 0, recall: 0, f1: 0 });
    // Cows are neither there nor said, and no part of the mean.
    expect(macro.f1).toBeCloseTo(1 / 3, 12);
    expect(weighted.f1).toBeCloseTo((3 * (2 / 3)) / 4, 12);
  });

  test('finds the best threshold of each class and of all', () => {
    const { classes, best } = classificationReport(truth, results);
    expect(classes[0]!.best).toEqual({ scoreThreshold: 0.2, f1: 6 / 7 });
    expect(classes[1]!.best).toEqual({ scoreThreshold: 0.4, f1: 2 / 3 });
    expect(classes[2]!.best).toEqual({ scoreThreshold: Number.NaN, f1: 0 });
    expect(best.scoreThreshold).toBe(0.2);
    expect(best.f1).toBeCloseTo((6 / 7 + 2 / 3) / 2, 12);
  });

  test('the best threshold is the best of all thresholds', () => {
    const drawn = readJson('annotations.json') as CocoDataset;
    const found = readJson('detections.json') as CocoResult[];
    const { best, classes } = classificationReport(drawn, found, { iouType: 'segm' });
    let highest = 0;
    const own = classes.map(() => 0);
    for (const { score } of found.filter((_, i) => i % 9 === 0 || found[i]!.score === best.scoreThreshold)) {
      const at = classificationReport(drawn, found, { iouType: 'segm', scoreThreshold: score });
      highest = Math.max(highest, at.macro.f1);
      at.classes.forEach(({ f1 }, k) => (own[k] = Math.max(own[k]!, f1)));
    }
    expect(best.f1).toBeCloseTo(highest, 12);
    classes.forEach((rates, k) => expect(rates.best.f1).toBeGreaterThanOrEqual(own[k]!));
  });

  test('equal scores are looked at together', () => {
    const [one, two] = scene(
      [[CAT, 0]],
      [
        [CAT, 0, 0.5],
        [CAT, 100, 0.5],
      ],
    );
    expect(classificationReport(one, two).best).toEqual({ scoreThreshold: 0.5, f1: 2 / 3 });
  });

  test('nothing there and nothing found', () => {
    const { macro, best } = classificationReport(...scene([], []));
    expect(macro).toEqual({ precision: 0, recall: 0, f1: 0 });
    expect(best.scoreThreshold).toBeNaN();
  });

  test('as a table, names printable', () => {
    const named = { ...truth, categories: truth.categories!.map((c) => ({ ...c, name: `${c.name}\u001b[2J` })) };
    const table = classificationReportTable(classificationReport(named, results));
    expect(table).toMatch(
      /^Detections with a score from 0\.500, right from IoU 0\.500\ncategory +precision +recall +F1 +objects/,
    );
    expect(table).toMatch(/\nmacro average +0\.333 +0\.333 +0\.333 +4 +0\.762 +0\.200\nweighted average/);
    expect(table).not.toContain('\u001b');
  });

  test('key points of any number with sigmas of their own', () => {
    const dataset = {
      images: [{ id: 1 }],
      categories: [{ id: 1, name: 'hand' }],
      annotations: [
        {
          id: 1,
          image_id: 1,
          category_id: 1,
          area: 400,
          bbox: [0, 0, 20, 20],
          keypoints: [5, 5, 2, 15, 15, 2],
          num_keypoints: 2,
        },
      ],
    };
    const shifted = (by: number) => [{ image_id: 1, category_id: 1, score: 0.9, keypoints: [5 + by, 5, 1, 15, 15, 1] }];
    // Of two points one is d away from its own: the similarity is (exp(-d² / (2 * 400 * (2 * 0.1)²)) + 1) / 2.
    const options = { iouType: 'keypoints', oksSigmas: [0.1, 0.2], iouThreshold: 0.9 } as const;
    expect(classificationReport(dataset, shifted(3), options).classes[0]!.truePositives).toBe(0); // 0.878
    expect(classificationReport(dataset, shifted(2), options).classes[0]!.truePositives).toBe(1); // 0.941
    expect(() => classificationReport(dataset, shifted(2), { iouType: 'keypoints' })).toThrow(
      /does not fit the sigmas/,
    );
  });
});

describe('the confusion matrix as a picture', () => {
  test('has a field for every pair, and names that cannot break out', () => {
    const [truth, results] = scene(
      [
        [CAT, 0],
        [DOG, 100],
      ],
      [[DOG, 0, 0.9]],
    );
    const named = { ...truth, categories: truth.categories!.map((c) => ({ ...c, name: `<b>"${c.name}\u0007` })) };
    const svg = confusionPlot(confusionMatrix(named, results));
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*>.*<\/svg>\n$/s);
    expect(svg.match(/<rect/g)).toHaveLength(1 + 16); // and the paper
    expect(svg).toContain('&lt;b&gt;&quot;cat');
    for (const broken of ['NaN', '<b>', '\u0007']) expect(svg).not.toContain(broken);
  });

  test('of many classes those with the most objects are shown', () => {
    const categories = Array.from({ length: 50 }, (_, i) => ({ id: i + 1, name: `c${i + 1}` }));
    const annotations = categories
      .slice(20)
      .map(({ id }) => ({ id, image_id: 1, category_id: id, area: 4, bbox: [9 * id, 0, 2, 2] }));
    const svg = confusionPlot(confusionMatrix({ images: [{ id: 1 }], categories, annotations }, []));
    expect(svg.match(/<rect/g)).toHaveLength(1 + 31 * 31);
    expect(svg).toContain('20 classes with fewer objects are left out');
  });
});
