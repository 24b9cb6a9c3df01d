import { expect, test } from 'vitest';
import {
  type Annotator,
  boxAnnotator,
  contextOf,
  contourAnnotator,
  createScene,
  type DrawnObject,
  keypointAnnotator,
  labelAnnotator,
  maskAnnotator,
  paletteColor,
  type SceneOptions,
} from '../src/index.ts';
import { createCanvas } from '../src/node.ts';
import { disc, maskOf } from './scenery.ts';

/** What an annotator leaves on a black canvas, as a function (y, x) -> [red, green, blue]. */
function drawn(
  annotate: Annotator,
  [height, width]: readonly [number, number],
  objects: readonly DrawnObject[],
  options: SceneOptions = {},
): (y: number, x: number) => number[] {
  const scale = options.scale ?? 1;
  const canvas = createCanvas(width * scale, height * scale);
  const context = contextOf(canvas);
  context.fillStyle = 'black';
  context.fillRect(0, 0, canvas.width, canvas.height);
  annotate(context, createScene([height, width], objects, options));
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return (y, x) => Array.from(data.slice((y * canvas.width + x) * 4, (y * canvas.width + x) * 4 + 3));
}

const BLACK = [0, 0, 0];
const [first, second] = [paletteColor(0), paletteColor(1)];

test('a box is its outline, nothing inside', () => {
  const at = drawn(boxAnnotator({ lineWidth: 2 }), [40, 60], [{ box: [10, 5, 50, 30] }]);
  expect(at(5, 30)).toEqual([...first]);
  expect(at(17, 10)).toEqual([...first]);
  expect(at(17, 30)).toEqual(BLACK);
});

test('a box beyond the border is drawn along the border', () => {
  const at = drawn(boxAnnotator({ lineWidth: 2 }), [40, 60], [{ box: [-20, -20, 90, 90] }]);
  for (const [y, x] of [
    [0, 30],
    [39, 30],
    [20, 0],
    [20, 59],
  ] as const)
    expect(at(y, x)).toEqual([...first]);
});

test('masks cover exactly their pixels, blended by the opacity', () => {
  const mask = maskOf(20, 30, (y, x) => y >= 5 && y < 10 && x >= 8 && x < 12);
  const at = drawn(maskAnnotator({ opacity: 0.5 }), [20, 30], [{ box: [8, 5, 12, 10], mask }]);
  for (let y = 0; y < 20; y++) {
    for (let x = 0; x < 30; x++) {
      const inside = mask.bitmap()[y * 30 + x] === 1;
      expect(at(y, x).map((value, i) => Math.abs(value - (inside ? first[i]! / 2 : 0)) <= 1)).toEqual([
        true,
        true,
        true,
      ]);
    }
  }
});

test('the smaller mask lies on top, whatever the order', () => {
  const size = [40, 40] as const;
  const [large, small] = [disc(size, 20, 20, 18, {}), disc(size, 20, 20, 6, {})];
  for (const [objects, color] of [
    [[large, small], second],
    [[small, large], first],
  ] as const) {
    expect(drawn(maskAnnotator({ opacity: 1 }), size, objects)(20, 20)).toEqual([...color]);
  }
});

test('a mask is drawn in step with a larger canvas', () => {
  const mask = maskOf(8, 8, (y, x) => y === 2 && x === 3);
  const at = drawn(maskAnnotator({ opacity: 1 }), [8, 8], [{ box: [3, 2, 4, 3], mask }], { scale: 4 });
  expect([at(8, 12), at(11, 15)]).toEqual([[...first], [...first]]);
  expect([at(7, 12), at(8, 11), at(12, 12), at(8, 16)]).toEqual([BLACK, BLACK, BLACK, BLACK]);
});

test('contours run around objects, around holes, and close at the border of the image', () => {
  const ring = maskOf(40, 40, (y, x) => Math.hypot(y - 20, x - 20) < 15 && Math.hypot(y - 20, x - 20) > 6);
  const at = drawn(contourAnnotator({ lineWidth: 3 }), [40, 40], [{ box: [5, 5, 35, 35], mask: ring }]);
  expect(at(20, 5)).not.toEqual(BLACK);
  expect(at(20, 14)).not.toEqual(BLACK); // the hole
  expect(at(20, 10)).toEqual(BLACK); // between the two
  const full = maskOf(10, 10, () => true);
  expect(drawn(contourAnnotator({ lineWidth: 2 }), [10, 10], [{ box: [0, 0, 10, 10], mask: full }])(5, 0)).not.toEqual(
    BLACK,
  );
});

test('an empty mask and an object without a mask draw nothing', () => {
  const objects: DrawnObject[] = [{ box: [1, 1, 9, 9], mask: maskOf(10, 10, () => false) }, { box: [1, 1, 9, 9] }];
  for (const annotate of [maskAnnotator(), contourAnnotator()])
    expect(drawn(annotate, [10, 10], objects)(5, 5)).toEqual(BLACK);
});

test('keypoints: dots and lines for the visible ones only', () => {
  const keypoints = [
    [10, 20, 2],
    [40, 20, 1],
    [25, 5, 0],
  ] as const;
  const skeleton = [
    [0, 1],
    [1, 2],
  ] as const;
  const at = drawn(keypointAnnotator({ skeleton, radius: 2 }), [40, 60], [{ box: [0, 0, 50, 30], keypoints }]);
  expect(at(20, 10)).toEqual([...first]);
  expect(at(20, 25)).not.toEqual(BLACK);
  expect(at(5, 25)).toEqual(BLACK);
});

test('the lines between key points are those of the scene', () => {
  const keypoints = [
    [10, 20, 2],
    [40, 20, 2],
  ] as const;
  const objects: DrawnObject[] = [{ box: [0, 0, 50, 30], keypoints }];
  const joined = drawn(keypointAnnotator({ radius: 2 }), [40, 60], objects, { skeleton: [[0, 1]] });
  expect(joined(20, 25)).not.toEqual(BLACK);
  expect(drawn(keypointAnnotator({ radius: 2 }), [40, 60], objects)(20, 25)).toEqual(BLACK);
});

test('colour by class gives equal classes equal colours; objects without a class keep their own', () => {
  const objects: DrawnObject[] = [
    { box: [0, 0, 1, 1], label: 2 },
    { box: [0, 0, 1, 1], label: 2 },
    { box: [0, 0, 1, 1] },
  ];
  const byClass = createScene([1, 1], objects, { colorBy: 'class' });
  expect(byClass.colorOf(0)).toEqual(byClass.colorOf(1));
  const byInstance = createScene([1, 1], objects);
  expect(byInstance.colorOf(0)).not.toEqual(byInstance.colorOf(1));
  expect(byClass.colorOf(2)).toEqual(byInstance.colorOf(2));
});

/** The plates and words that the label annotator draws, from a context that writes down calls. */
function labels(
  size: readonly [number, number],
  objects: readonly DrawnObject[],
  annotate = labelAnnotator({ fontSize: 12 }),
) {
  const plates: [number, number, number, number][] = [];
  const words: string[] = [];
  const context = new Proxy(contextOf(createCanvas(size[1], size[0])), {
    get: (target, key) => {
      if (key === 'fillRect') return (...plate: [number, number, number, number]) => plates.push(plate);
      if (key === 'fillText') return (text: string) => words.push(text);
      const value = Reflect.get(target, key) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value),
  });
  annotate(
    context,
    createScene(size, objects, {
      names: new Map([
        [1, 'cat'],
        [2, 'a very long name of a class'],
      ]),
    }),
  );
  return { plates, words };
}

test('labels say name and score', () => {
  const box = [20, 40, 60, 80] as const;
  const objects: DrawnObject[] = [
    { box, label: 1, score: 0.987 },
    { box, label: 7 },
    { box },
    { box, label: 1, crowd: true },
  ];
  expect(labels([200, 300], objects).words).toEqual(['cat 0.99', 'class 7', 'cat (crowd)']);
  expect(labels([200, 300], objects.slice(0, 1), labelAnnotator({ scores: false })).words).toEqual(['cat']);
  expect(labels([200, 300], objects.slice(0, 1), labelAnnotator({ text: () => 'mine' })).words).toEqual(['mine']);
});

test('labels never leave the picture', () => {
  const size = [60, 90] as const;
  const objects: DrawnObject[] = [];
  for (let y = -10; y <= 60; y += 10) {
    for (let x = -10; x <= 90; x += 10)
      objects.push({ box: [x, y, x + 15, y + 15], label: 1 + (objects.length % 2), score: 0.5 });
  }
  for (const [x, y, width, height] of labels(size, objects).plates) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(90);
    expect(y + height).toBeLessThanOrEqual(60);
  }
});

test('labels of objects in one place do not hide each other', () => {
  const { plates } = labels(
    [200, 200],
    Array.from({ length: 4 }, () => ({ box: [50, 60, 150, 160] as const, label: 1 })),
  );
  for (const [i, a] of plates.entries()) {
    for (const b of plates.slice(0, i)) {
      const apart = a[0] + a[2] <= b[0] || b[0] + b[2] <= a[0] || a[1] + a[3] <= b[1] || b[1] + b[3] <= a[1];
      expect(apart).toBe(true);
    }
  }
});

test('a name wider than the picture is shortened', () => {
  const { words } = labels([40, 80], [{ box: [0, 0, 80, 40], label: 2 }]);
  expect(words[0]).toMatch(/^a very.*…$/);
});
