// Random samples through every preset, with every promise about them looked at after every step. A few hundred of
// generated pictures by default; for more, and for datasets on disk:
//   RCNN_SAMPLES=10000 RCNN_SAMPLES_DATA=data/coco:data/balloon vitest run … test/samples.test.ts
import { delimiter } from 'node:path';
import { Random } from '@rcnn/core/random';
import {
  type Box,
  boxesFromMasks,
  compose,
  copyPaste,
  isVisible,
  PRESETS,
  type PresetName,
  preset,
  type Scene,
  type SceneObject,
  sceneOf,
  sceneProblem,
  type Transform,
  targetOf,
} from '@rcnn/transforms';
import { expect, test } from 'vitest';
import { type Dataset, shapesDataset } from '../src/index.ts';
import { findSources, openSource } from '../src/node/index.ts';

const SAMPLES = Number(process.env['RCNN_SAMPLES'] ?? 300);
const FOLDERS = (process.env['RCNN_SAMPLES_DATA'] ?? '').split(delimiter).filter((folder) => folder !== '');

/** Steps that bend: no box survives them but those around masks. */
const BENDING = new Set(['small rotation', 'random perspective']);

/** Corners are carried as float32, in images of up to 8,000 pixels. */
const ROUNDING = 0.01;

/** What was seen, for the report and against tests that look at nothing. */
const seen = { samples: 0, objects: 0, dropped: 0, pasted: 0, mapped: 0, remade: 0, upscaled: 0 };
const misfits = { annotated: [0, 0, 0, 0], final: [0, 0, 0, 0] };

test(`${SAMPLES} random samples through any preset`, async () => {
  const datasets = await openAll();
  const random = new Random(20_000);
  let previous: Scene | undefined;
  for (let i = 0; i < SAMPLES; i++) {
    const dataset = random.pick(datasets);
    const scene = await loadScene(dataset, random.integer(dataset.length));
    const name = random.pick(PRESETS);
    const result = watched(name).apply(scene, random.fork('sample', i));
    check(result, name);
    expect({ name, objects: result.objects.length + result.dropped }).toEqual({ name, objects: scene.objects.length });
    for (const { box, mask } of result.objects) if (mask) count(misfits.final, box, mask.box);
    const tight = boxesFromMasks().apply(result, random);
    check(tight, 'boxes from masks');
    for (const { box, mask } of tight.objects) expect(box).toEqual(mask?.box ?? box);
    if (previous && random.chance(0.1)) checkPasting(previous, result, random.fork('paste', i));
    previous = result;
    seen.samples++;
    seen.objects += result.objects.length;
    seen.dropped += result.dropped;
  }
  console.log(JSON.stringify({ seen, 'sides apart by 0, < 1, < 2, more pixels': misfits }));
  expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
});

async function openAll(): Promise<readonly Dataset[]> {
  const datasets: Dataset[] = [
    shapesDataset(60, { seed: 1, size: [96, 128], objects: [1, 9] }),
    shapesDataset(20, { seed: 2, size: [161, 75], objects: [2, 20] }),
  ];
  for (const folder of FOLDERS) {
    for (const source of await findSources(folder)) datasets.push((await openSource(source)).trainable());
  }
  return datasets;
}

/** As the loader makes it. */
async function loadScene(dataset: Dataset, index: number): Promise<Scene> {
  const { image, target } = dataset.sample(index);
  const all = sceneOf(await dataset.store.load(image), target);
  const objects = all.objects.filter((object) => !object.crowd && isVisible(object));
  for (const { box, mask } of objects) if (mask) count(misfits.annotated, box, mask.box);
  return { ...all, objects };
}

/** The preset, with every step's work looked at. It has the same names, and so the same random streams. */
function watched(name: PresetName): Transform {
  const watch = (step: Transform): Transform => ({
    name: step.name,
    apply(scene, random) {
      const before = withCorners(scene);
      const after = step.apply(before, random);
      check(after, `${name}: ${step.name}`);
      if (after !== before) after.objects.forEach((object) => checkBox(object, before, after, step.name));
      return after;
    },
  });
  return compose(name, preset(name).steps.map(watch));
}

/** Objects numbered by their labels, with the corners of their boxes as keypoints. */
function withCorners(scene: Scene): Scene {
  const objects = scene.objects.map(
    ({ box: [x1, y1, x2, y2], ...rest }, i): SceneObject => ({
      ...rest,
      box: [x1, y1, x2, y2],
      label: i + 1,
      keypoints: Float32Array.of(x1, y1, 2, x2, y2, 2),
    }),
  );
  return { ...scene, objects, fields: { ...scene.fields, keypoints: true } };
}

function withoutCorners(scene: Scene): Scene {
  const objects = scene.objects.map(({ keypoints: _corners, ...rest }) => rest);
  return { ...scene, objects, fields: { ...scene.fields, keypoints: false } };
}

/**
 * The rule of boxes: an object that is whole and straight keeps its box, mapped as its corners are; the box of any other
 * is exactly its mask's.
 */
function checkBox({ box, mask, keypoints, label }: SceneObject, before: Scene, after: Scene, step: string): void {
  const [ax, ay, seenA, bx, by, seenB] = keypoints! as unknown as [number, number, number, number, number, number];
  const corners: Box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  const whole = seenA > 0 && seenB > 0 && !BENDING.has(step);
  if (!whole || (apart(box, corners) > ROUNDING && touchesBorder(corners, after))) {
    seen.remade++;
    if (mask) expect({ step, box }).toEqual({ step, box: mask.box });
    return;
  }
  seen.mapped++;
  if (apart(box, corners) > ROUNDING) expect.fail(`${step}: ${box.join()} instead of ${corners.join()}`);
  const old = before.objects[label - 1]!;
  // A box that was its mask's stays so to less than a pixel, unless pixels were left out, and with them thin parts.
  const scale = (box[2] - box[0]) / (old.box[2] - old.box[0]);
  if (!mask || scale <= 1 + ROUNDING || apart(old.box, old.mask!.box) > 0) return;
  seen.upscaled++;
  if (apart(box, mask.box) >= 1) expect.fail(`${step}: scaled by ${scale}, ${box.join()} around ${mask.box.join()}`);
}

/** A corner so near the border that float32 and float64 may disagree on which side it is. */
function touchesBorder([x1, y1, x2, y2]: Box, { image }: Scene): boolean {
  return x1 < ROUNDING || y1 < ROUNDING || x2 > image.width - ROUNDING || y2 > image.height - ROUNDING;
}

/** Every promise about a scene and its target that does not depend on how it came to be. */
function check(scene: Scene, where: string): void {
  const { boxes, labels, masks, keypoints, crowd, area } = targetOf(scene);
  const n = labels.length;
  // In float32 too, as the model gets them.
  const isSolid = (i: number): boolean => boxes[4 * i + 2]! > boxes[4 * i]! && boxes[4 * i + 3]! > boxes[4 * i + 1]!;
  expect({
    where,
    problem: sceneProblem(scene),
    lengths: [boxes.length / 4, masks?.length ?? n, crowd!.length, area!.length],
    points: scene.fields.keypoints ? keypoints!.length : 6 * n,
    labelled: labels.every((label) => label > 0),
    finite: [...boxes, ...area!].every(Number.isFinite),
    solid: Array.from(labels.keys()).every(isSolid),
    pixels: scene.image.data.length,
  }).toEqual({
    where,
    problem: undefined,
    lengths: [n, n, n, n],
    points: 6 * n,
    labelled: true,
    finite: true,
    solid: true,
    pixels: 3 * scene.image.height * scene.image.width,
  });
}

/** What is covered gets its mask's box, what is not keeps its own. */
function checkPasting(partner: Scene, scene: Scene, random: Random): void {
  const below = withoutCorners(scene);
  const [, result] = copyPaste().apply([withoutCorners(partner), below], random) as [Scene, Scene];
  check(result, 'copy-paste');
  const old = new Set(below.objects);
  for (const object of result.objects.slice(0, below.objects.length - (result.dropped - below.dropped))) {
    if (old.has(object)) continue;
    seen.pasted++;
    expect(object.box).toEqual(object.mask!.box);
  }
}

function apart(a: Box, b: Box): number {
  return Math.max(...a.map((side, i) => Math.abs(side - b[i]!)));
}

function count(bins: number[], a: Box, b: Box): void {
  const distance = apart(a, b);
  bins[distance === 0 ? 0 : distance < 1 ? 1 : distance < 2 ? 2 : 3]!++;
}
