import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@rcnn/core/random';
import { runsArea, runsBox, runsFromPolygons, runsToString } from '@rcnn/masks';

/** The sizes of COCO val2017. */
const IMAGES = 5000;
const OBJECTS = 36_781;
const CLASSES = 80;

export interface BenchFiles {
  readonly truth: string;
  readonly detections: string;
}

export interface GenerateOptions {
  /** Share of the detections that lie near an object. Default 0.8, and 0.4 where there are more of them than objects. */
  readonly near?: number;
}

interface Drawn {
  readonly image: number;
  readonly category: number;
  readonly outline: number[];
}

/**
 * Writes a dataset of val2017's size and `count` detections on it, and remembers it between runs: polygons of 8 to 60
 * points, 1 % crowds, boxes and scores with the digits of float32, detections near their objects and beside them.
 */
export function generate(count: number, { near }: GenerateOptions = {}): BenchFiles {
  const folder = join(tmpdir(), 'rcnn-bench-coco-eval-1');
  mkdirSync(folder, { recursive: true });
  const name = near === undefined ? `detections-${count}` : `detections-${count}-near-${near}`;
  const files = { truth: join(folder, 'truth.json'), detections: join(folder, `${name}.json`) };
  if (existsSync(files.truth) && existsSync(files.detections)) return files;
  const random = new Random(2017);
  const sizes = Array.from(
    { length: IMAGES },
    () => (random.chance(0.7) ? [480, 640] : [640, 427]) as [number, number],
  );
  const objects = Array.from({ length: OBJECTS }, () => drawObject(random, sizes));
  writeTruth(files.truth, sizes, objects);
  const share = near ?? (count > OBJECTS ? 0.4 : 0.8);
  writeDetections(files.detections, sizes, objects, { count, share, random });
  return files;
}

/** The same detections grouped by image, one line `{ imageId, results }` per image: what a predictor hands over. */
export function generateStream(count: number): BenchFiles {
  const { truth, detections } = generate(count);
  const lines = detections.replace('.json', '.jsonl');
  if (existsSync(lines)) return { truth, detections: lines };
  const byImage = new Map<number, object[]>();
  for (const { image_id, ...rest } of JSON.parse(readFileSync(detections, 'utf8')) as { image_id: number }[]) {
    const list = byImage.get(image_id) ?? [];
    byImage.set(image_id, list);
    list.push(rest);
  }
  write(
    lines,
    Array.from(byImage, ([imageId, results]) => `${JSON.stringify({ imageId, results })}\n`),
  );
  return { truth, detections: lines };
}

function drawObject(random: Random, sizes: readonly [number, number][]): Drawn {
  const image = random.integer(IMAGES);
  const [height, width] = sizes[image]!;
  const category = Math.floor(CLASSES * random.uniform() ** 2); // some classes are far more common
  const radius = Math.exp(random.uniform(Math.log(6), Math.log(170)));
  return {
    image,
    category,
    outline: blob(random, random.uniform(0, width), random.uniform(0, height), radius, sizes[image]!),
  };
}

function blob(
  random: Random,
  cx: number,
  cy: number,
  radius: number,
  [height, width]: readonly [number, number],
): number[] {
  const points = Math.min(60, 8 + Math.floor(radius / 3));
  const outline: number[] = [];
  for (let i = 0; i < points; i++) {
    const angle = (2 * Math.PI * i) / points;
    const r = radius * random.uniform(0.75, 1);
    outline.push(
      Math.round(100 * clamp(cx + r * Math.cos(angle), width)) / 100,
      Math.round(100 * clamp(cy + 0.8 * r * Math.sin(angle), height)) / 100,
    );
  }
  return outline;
}

function clamp(value: number, end: number): number {
  return Math.max(0, Math.min(end, value));
}

function writeTruth(path: string, sizes: readonly [number, number][], objects: readonly Drawn[]): void {
  const images = sizes.map(([height, width], id) => ({ id: id + 1, height, width, file_name: `${id + 1}.jpg` }));
  const categories = Array.from({ length: CLASSES }, (_, id) => ({ id: id + 1, name: `class ${id + 1}` }));
  const annotations = objects.map(({ image, category, outline }, i) => {
    const size = sizes[image]!;
    const runs = runsFromPolygons([outline], size);
    const iscrowd = i % 100 === 99 ? 1 : 0;
    return {
      id: i + 1,
      image_id: image + 1,
      category_id: category + 1,
      iscrowd,
      area: runsArea(runs),
      bbox: runsBox(runs),
      segmentation: iscrowd ? { size, counts: Array.from(runs.counts) } : [outline],
    };
  });
  write(path, [JSON.stringify({ info: {}, images, annotations, categories })]);
}

function writeDetections(
  path: string,
  sizes: readonly [number, number][],
  objects: readonly Drawn[],
  { count, share, random }: { readonly count: number; readonly share: number; readonly random: Random },
): void {
  function* pieces(): Generator<string> {
    yield '[';
    for (let i = 0; i < count; i++) {
      const near = random.chance(share); // the rest lie anywhere
      const { image, category, outline } = near ? objects[random.integer(OBJECTS)]! : drawObject(random, sizes);
      const shift = near ? random.normal(0, 4) : 0;
      const moved = outline.map((v, j) => clamp(v + shift + random.normal(0, 0.7), sizes[image]![j % 2 === 0 ? 1 : 0]));
      const runs = runsFromPolygons([moved], sizes[image]!);
      const bbox = runsBox(runs).map((v) => Math.fround(v + random.uniform(-0.5, 0.5)));
      yield `${i === 0 ? '' : ', '}${JSON.stringify({
        image_id: image + 1,
        category_id: (random.chance(0.9) ? category : random.integer(CLASSES)) + 1,
        bbox,
        score: Math.fround(near ? random.uniform() ** 0.5 : random.uniform() ** 3),
        segmentation: { size: sizes[image], counts: runsToString(runs) },
      })}`;
    }
    yield ']';
  }
  write(path, pieces());
}

/** Under its name only once it is whole, since it is kept for the next run. */
function write(path: string, pieces: Iterable<string>): void {
  const file = openSync(`${path}.part`, 'w');
  let waiting: string[] = [];
  const flush = (): void => {
    const bytes = Buffer.from(waiting.join(''));
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    waiting = [];
  };
  for (const piece of pieces) if (waiting.push(piece) >= 4096) flush();
  flush();
  closeSync(file);
  renameSync(`${path}.part`, path);
}
