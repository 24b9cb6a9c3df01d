import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import {
  colorJitter,
  grayscale,
  motionBlur,
  PatchMask,
  PRESETS,
  pasteObjects,
  preset,
  randomPerspective,
  type Scene,
  safeRandomCrop,
  sceneProblem,
  smallRotation,
  type Transform,
  targetOf,
} from '../src/index.ts';
import { randomScene } from './scenes.ts';

const steps: readonly Transform[] = [
  ...PRESETS.filter((name) => name !== 'lsj').map((name) => preset(name)),
  smallRotation({ p: 1 }),
  randomPerspective({ p: 1 }),
  safeRandomCrop({ p: 1 }),
  motionBlur({ p: 1 }),
  colorJitter(),
  grayscale({ p: 1 }),
];

/** Every promise about a scene at once. */
function check(scene: Scene): void {
  expect(sceneProblem(scene)).toBeUndefined();
  const { boxes, labels, masks, keypoints, crowd, area } = targetOf(scene);
  const count = labels.length;
  expect([boxes.length, masks!.length, crowd!.length, area!.length]).toEqual([4 * count, count, count, count]);
  if (count > 0) expect(keypoints!.length).toBe(9 * count);
  for (const { box, mask } of scene.objects) {
    for (const [i, side] of box.entries()) expect(Math.abs(side - mask!.box[i]!)).toBeLessThan(1.5 * growth(scene));
  }
  expect(scene.image.data).toHaveLength(scene.image.height * scene.image.width * 3);
}

/** How many new pixels an old one may have become: as far as a nearest-neighbour mask and its box can be apart. */
function growth({ image }: Scene): number {
  return Math.max(1, Math.max(image.height, image.width) / 24);
}

test.each(steps)('$name keeps boxes, masks, keypoints and areas in step', (step) => {
  for (let seed = 0; seed < (step.name === 'multiscale' ? 6 : 60); seed++) {
    const scene = randomScene(seed);
    const result = step.apply(scene, new Random(seed).fork('test'));
    check(result);
    expect(result.objects.length + result.dropped).toBe(scene.objects.length);
  }
});

test('lsj gives 1024 x 1024', () => {
  const result = preset('lsj').apply(randomScene(3), new Random(5));
  check(result);
  expect([result.image.height, result.image.width]).toEqual([1024, 1024]);
});

test.each(steps)('$name gives the same for the same stream, and leaves what it was given', (step) => {
  const scene = randomScene(7);
  const before = structuredClone(targetOf(scene).boxes);
  const pixels = scene.image.data.slice();
  const once = step.apply(scene, new Random(9));
  const again = step.apply(scene, new Random(9));
  expect(Buffer.from(once.image.data).equals(Buffer.from(again.image.data))).toBe(true);
  expect(once.objects).toEqual(again.objects);
  expect(targetOf(scene).boxes).toEqual(before);
  expect(Buffer.from(scene.image.data).equals(Buffer.from(pixels))).toBe(true);
});

test.each(PRESETS)('%s takes an image without objects', (name) => {
  const scene = { ...randomScene(2), objects: [] };
  const target = targetOf(preset(name).apply(scene, new Random(4)));
  expect(target.labels).toHaveLength(0);
  expect(target.masks).toEqual([]);
});

test('pasted objects hide what is below, and only that', () => {
  let covered = 0;
  for (let seed = 0; seed < 40; seed++) {
    const [below, above] = [randomScene(seed), randomScene(seed + 1000)];
    const result = pasteObjects(below, above, new Random(seed));
    check(result);
    covered += result.dropped;
    const pasted = result.objects.length - (below.objects.length - result.dropped);
    for (const top of result.objects.slice(result.objects.length - pasted)) {
      for (const bottom of result.objects.slice(0, result.objects.length - pasted)) {
        expect(bottom.mask!.without(top.mask!).area).toBe(bottom.mask!.area);
      }
    }
  }
  expect(covered).toBeGreaterThan(0);
});

test('objects without masks cannot be pasted', () => {
  const bare = (scene: Scene): Scene => ({ ...scene, objects: scene.objects.map(({ mask: _mask, ...rest }) => rest) });
  expect(() => pasteObjects(randomScene(1), bare(randomScene(6)), new Random(1))).toThrow(
    expect.objectContaining({ code: 'TARGET_INVALID' }),
  );
});

test('an unknown preset is refused with the names there are', () => {
  expect(() => preset('strong' as 'ssd')).toThrow(expect.objectContaining({ code: 'UNKNOWN_OPTION' }));
});

test('a transform of your own takes ten lines', () => {
  const topHalf: Transform = {
    name: 'top half',
    apply: (scene, random) =>
      random.chance(1)
        ? { ...scene, objects: scene.objects.filter(({ box }) => box[3] < scene.image.height / 2) }
        : scene,
  };
  expect(sceneProblem(topHalf.apply(randomScene(8), new Random(1)))).toBeUndefined();
  expect(PatchMask.empty([2, 2]).isEmpty).toBe(true);
});
