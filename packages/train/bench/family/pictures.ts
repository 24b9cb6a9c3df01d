import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset, type WriteShapesOptions, writeFigures, writeShapes } from '@rcnn/coco-data/node';

/** How many pictures are drawn to learn from, and to measure on. */
const PICTURES = { train: 600, val: 60 } as const;

/** `gentle` is what the demo draws; `usual` what the program's own `shapes` are. */
const SCENES = {
  gentle: { objects: [1, 3], radius: [0.12, 0.24], tiny: 0, turn: 0.3 },
  usual: {},
} as const satisfies Record<string, WriteShapesOptions>;

export type Scene = keyof typeof SCENES;

export function isScene(name: string): name is Scene {
  return Object.hasOwn(SCENES, name);
}

/** The folder of the pictures for an architecture, drawn if they are not there: figures for key points, else shapes. */
export async function drawnPictures(out: string, arch: string, scene: Scene): Promise<string> {
  const folder = join(out, isFigures(arch) ? 'figures' : `shapes-${scene}`);
  if (existsSync(join(folder, 'annotations'))) return folder;
  if (isFigures(arch)) await writeFigures(folder, { splits: PICTURES });
  else await writeShapes(folder, { splits: PICTURES, ...SCENES[scene] });
  return folder;
}

/** Whether an architecture learns from figures with key points. */
export function isFigures(arch: string): boolean {
  return arch.startsWith('keypoint');
}

/** "600 pictures to learn from (gentle shapes), 60 others to measure on". */
export async function countedPictures(data: string, kind: string): Promise<string> {
  const [train, val] = await Promise.all(['train', 'val'].map((split) => openDataset(data, { split })));
  return `${train!.images.length} pictures to learn from (${kind}), ${val!.images.length} others to measure on`;
}
