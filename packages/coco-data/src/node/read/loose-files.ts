import { dirname, join } from 'node:path';
import { readHead } from '../files/text.ts';
import { foldersIn, nameOf, namesIn, picturesOfSplit, splitOf } from './folders.ts';
import { foreignTool } from './foreign.ts';
import type { DatasetSource } from './reader.ts';

/** More JSON files than this in one folder are one per picture. */
const MAX_FILES = 20;

const LISTS = /"(?:images|annotations|categories)"\s*:\s*\[/;
const FIELDS = /"(?:file_name|image_id|category_id|bbox|supercategory|coco_url)"\s*:/;

/** Names that say nothing of a split: the folder says it. */
const PLAIN = /^(?:_?annotations?(?:[._]coco)?|instances(?:_default)?|labels|coco|result|dataset|data|default)$/i;

/** COCO files under names of people's own, in a folder or up to two steps below it. */
export function looseCocoFiles(root: string): Promise<readonly string[]> {
  return looseFiles(root, looksLikeCoco);
}

/** JSON files that are what is looked for, in a folder or up to two steps below it. */
export async function looseFiles(
  root: string,
  isWanted: (file: string) => Promise<boolean>,
): Promise<readonly string[]> {
  let level: readonly string[] = [root];
  for (let depth = 0; depth <= 2; depth++) {
    const found: string[] = [];
    for (const folder of level) {
      const names = (await namesIn(folder)).filter((name) => name.toLowerCase().endsWith('.json'));
      if (names.length > MAX_FILES) continue;
      for (const name of names) if (await isWanted(join(folder, name))) found.push(join(folder, name));
    }
    if (found.length > 0) return found;
    const below = await Promise.all(level.map(async (at) => (await foldersIn(at)).map((name) => join(at, name))));
    level = below.flat();
  }
  return [];
}

async function looksLikeCoco(file: string): Promise<boolean> {
  const head = await readHead(file).catch(() => '');
  if (!LISTS.test(head) || !FIELDS.test(head) || /"segments_info"|"caption"/.test(head)) return false;
  return foreignTool(file, head) === undefined;
}

/** `train.json` has its pictures in `train`, `images/train` or beside it; `<split>/annotations/instances.json` in `<split>`. */
export async function sourceOfLoose(
  file: string,
  images: string | undefined,
  format: string = 'coco',
): Promise<DatasetSource> {
  const folder = dirname(file);
  const own = splitOf(file);
  const top = /^(?:annotations?|labels|coco)$/i.test(nameOf(folder)) ? dirname(folder) : folder;
  const split = PLAIN.test(own) ? nameOf(top) : own;
  const found = { format, split, annotations: file };
  if (images !== undefined) return { ...found, images };
  return { ...found, images: (await picturesOfSplit(top, split)) ?? top };
}
