import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { Random } from '@rcnn/core/random';
import { archive, P, pickle, tensorPickle } from '../../../../packages/checkpoint/test/forge.ts';
import { savePatches } from '../../../../packages/cli/test/support/patches-architecture.ts';
import { tinyMaskRcnn } from '../../../../packages/train/test/tiny-architecture.ts';
import { TRAINING } from './plans.ts';
import { run } from './run.ts';

// Good inputs for the commands, a folder for each: what is spoiled begins as what works.

function put(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

/** A tar archive by hand: one header of 512 bytes for each file. */
export function tarOf(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const blocks = files.flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write('0000644\0', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        0', 148);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const voc = (name: string): string =>
  `<annotation><filename>${name}.png</filename><size><width>40</width><height>32</height><depth>3</depth></size>` +
  '<object><name>dot</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>25</ymax>' +
  '</bndbox></object></annotation>';

const via = (names: readonly string[]): unknown =>
  Object.fromEntries(
    names.map((filename) => [
      `${filename}1`,
      {
        filename,
        size: 1,
        file_attributes: {},
        regions: [
          {
            shape_attributes: { name: 'polygon', all_points_x: [3, 20, 20], all_points_y: [4, 4, 25] },
            region_attributes: { kind: 'dot' },
          },
        ],
      },
    ]),
  );

/** Writes one folder of inputs for each kind of command below `root`. Changes the working folder to it. */
export async function makeScenes(root: string): Promise<void> {
  process.chdir(root);
  await writeShapes('coco', { splits: { train: 2, val: 2 }, size: [32, 40], objects: [1, 2] });
  const train = readdirSync('coco/train').sort();
  const pictures = train.map((name) => [name, new Uint8Array(readFileSync(join('coco/train', name)))] as const);
  const names = train.map((name) => name.replace('.png', ''));
  for (const [name, bytes] of pictures) {
    for (const folder of ['voc/JPEGImages', 'via', 'photos']) put(join(folder, name), bytes);
  }
  for (const name of names) put(`voc/Annotations/${name}.xml`, voc(name));
  put('voc/ImageSets/Main/train.txt', `${names.join('\n')}\n`);
  put('via/via_region_data.json', JSON.stringify(via(train)));
  await savePatches('photos/w.safetensors');
  put('photos/list.txt', `${train.map((name) => `in/${name}`).join('\n')}\n`);
  put('photos/p.tar', tarOf(pictures));
  put('model/a.png', pictures[0]![1]);
  await saveTiny('model/w.safetensors');
  put('weights/w.safetensors', readFileSync('photos/w.safetensors'));
  put('weights/w.pth', archive(pickle(P.dict({ 'a.weight': tensorPickle(), 'b.bias': tensorPickle() }))));
  const model = ['--weights', 'photos/w.safetensors', '--engine', 'cpu'];
  const calls = [
    ['convert-data', 'coco', 'yolo', '--to', 'yolo'],
    ['convert-data', 'coco', 'labelme', '--to', 'labelme'],
    ['val', 'coco', ...model, '--results', 'results/dt.json'],
    ['train', join(root, 'coco'), ...TRAINING, '--out', '.', '--name', 'run'],
    ['export', 'model/w.safetensors', '--out', 'model/w.onnx'],
    ...['0/2', '1/2'].map((shard) => ['predict', 'photos', ...model, '--shard', shard, '--parts', 'parts']),
  ];
  put('results/gt.json', readFileSync(join('coco/annotations', readdirSync('coco/annotations').sort().at(-1)!)));
  for (const args of calls) {
    const { code, text } = await run(args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${text}`);
  }
  await makeFailed(root);
}

/** Weights of a detector that can be exported. */
async function saveTiny(file: string): Promise<void> {
  const model = tinyMaskRcnn.build({ numClasses: 5, options: { minSize: 32, maxSize: 40 }, random: new Random(1) });
  const profile = torchvisionProfile({ source: 'a test', architecture: tinyMaskRcnn.name, numClasses: 5, options: {} });
  await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
}

/** What a training leaves that failed: a rate so high that its one weight leaves float32 in the fourth step. */
async function makeFailed(root: string): Promise<void> {
  const wild = ['--optimizer', 'sgd', '--learning-rate', '1e38', '--schedule', 'constant', '--warmup-steps', '0'];
  const args = ['train', join(root, 'coco'), ...TRAINING, ...wild, '--steps', '9', '--out', 'runs', '--name', 'failed'];
  const { code, text } = await run(args);
  if (code !== 1 || !text.includes('NON_FINITE')) throw new Error(text);
  for (const name of readdirSync('runs/failed')) {
    if (name.startsWith('failed-step-')) put(join('failed', name), readFileSync(join('runs/failed', name)));
  }
  put('failed/config.yaml', readFileSync('runs/failed/config.yaml'));
}
