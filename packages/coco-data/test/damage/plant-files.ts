// What happens to the pictures of a set, whatever its format.
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { Random } from '@rcnn/core/random';

const PICTURE_FAULTS: Readonly<Record<string, (path: string) => void>> = {
  'picture gone': (path) => rmSync(path, { force: true }),
  'picture cut': (path) => truncateSync(path, 60),
  'picture empty': (path) => writeFileSync(path, ''),
  'picture of text': (path) => writeFileSync(path, 'not a picture'),
};

/** Now and then something happens to a picture. @returns what, or undefined */
export function maybeSpoilPicture(path: string, random: Random): string | undefined {
  if (!random.chance(0.12) || !existsSync(path)) return undefined;
  const name = random.pick(Object.keys(PICTURE_FAULTS));
  PICTURE_FAULTS[name]!(path);
  return name;
}
