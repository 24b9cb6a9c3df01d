import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import { HOSTILE_NAMES } from '@rcnn/shared/hostile-names';
import { changedValue, damaged } from '../mutate.ts';

const REPLACEMENTS: readonly [kind: string, replace: (file: string, random: Random) => void][] = [
  ['nothing', () => undefined],
  ['an empty file', (file) => writeFileSync(file, '')],
  ['a folder', (file) => mkdirSync(file)],
  ['a pipe', (file) => void (process.platform === 'win32' || execFileSync('mkfifo', [file]))],
  ['a device', (file) => symlinkSync('/dev/zero', file)],
  ['a link to itself', (file) => symlinkSync(file, file)],
  ['a link that leads out', (file) => symlinkSync(`${process.cwd()}/../canary/secret.png`, file)],
  ['a link to a folder outside', (file) => symlinkSync(`${process.cwd()}/../canary`, file)],
  ['noise', (file, random) => writeFileSync(file, Buffer.from(Array.from({ length: 200 }, () => random.integer(256))))],
  ['brackets', (file) => writeFileSync(file, '['.repeat(100_000))],
  ['text', (file) => writeFileSync(file, 'hello\n\u001b]0;x\u0007\n')],
];

/** Spoils one or two things in a folder, and tells what it did. */
export function spoil(folder: string, random: Random): readonly string[] {
  return Array.from({ length: 1 + random.integer(2) }, () => spoilOnce(folder, random));
}

function spoilOnce(folder: string, random: Random): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => lstatSync(join(folder, name)).isFile() && isInside(folder, name))
    .sort();
  if (files.length === 0) return 'nothing is left';
  const name = random.pick(files);
  const file = join(folder, name);
  switch (random.integer(6)) {
    case 0: {
      const [kind, replace] = random.pick(REPLACEMENTS);
      rmSync(file);
      replace(file, random);
      return `${name} is ${kind}`;
    }
    case 1: {
      const other = random.pick(files);
      writeFileSync(file, readFileSync(join(folder, other)));
      return `${name} holds ${other}`;
    }
    case 2:
      return renamed(folder, name, random);
    case 3: {
      // Names in texts become hostile, so that what is read leads elsewhere.
      const text = readFileSync(file, 'utf8');
      const names = text.match(/[\w/.-]+\.(?:png|json|xml|txt)|"(?:dot|circle|square|triangle|star)"|train|val/g) ?? [];
      if (names.length > 0) {
        const escaped = JSON.stringify(random.pick(HOSTILE_NAMES)).slice(1, -1);
        const hostile = name.endsWith('.json') ? escaped : random.pick(HOSTILE_NAMES);
        const old = random.pick(names);
        writeFileSync(
          file,
          text.replaceAll(old, () => (old.startsWith('"') ? `"${hostile}"` : hostile)),
        );
        return `${name} says ${JSON.stringify(hostile)}`;
      }
      break;
    }
    case 4:
      if (name.endsWith('.json')) {
        try {
          writeFileSync(file, JSON.stringify(changedValue(JSON.parse(readFileSync(file, 'utf8')), random)));
          return `${name} has other values`;
        } catch {
          break; // spoiled already
        }
      }
  }
  const bytes = new Uint8Array(readFileSync(file));
  writeFileSync(file, damaged(bytes, [bytes], ['"', '../', '\u001b[2J', '-1', '1e999'], random));
  return `${name} is damaged`;
}

/** Not behind a link that was put there before. */
function isInside(folder: string, name: string): boolean {
  return realpathSync(join(folder, name)) === join(realpathSync(folder), name);
}

function renamed(folder: string, name: string, random: Random): string {
  const hostile = random.pick(HOSTILE_NAMES).replaceAll(/[/\0]/g, '');
  const ending = /\.[a-z]+$/.exec(name)?.[0] ?? '';
  const target = join(folder, dirname(name), `${hostile.slice(0, 100)}${ending}`);
  try {
    renameSync(join(folder, name), target);
  } catch {
    return 'nothing'; // not a name here
  }
  return `${name} is called ${JSON.stringify(hostile)}`;
}
