import { readdirSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';

const IMAGE = /\.(jpe?g|png|webp|tiff?|gif|avif|bmp)$/i;

/**
 * The image files that arguments name, in order and each once: files as they are, the images of a folder, and patterns
 * (`photos/*.jpg`, `**` for folders of any depth) for shells that leave them alone.
 * @throws FILE_MISSING
 */
export function imageFiles(where: string, inputs: readonly string[]): string[] {
  return [...new Set(inputs.flatMap((input) => expand(where, input)))];
}

function expand(where: string, input: string): string[] {
  const stats = statSync(input, { throwIfNoEntry: false });
  if (stats?.isFile()) return [input];
  const found = stats?.isDirectory() ? imagesIn(input) : /[*?]/.test(input) ? matches(input) : [];
  if (found.length > 0) return found;
  throw new RcnnError('FILE_MISSING', {
    where,
    place: input,
    problem: stats ? 'the folder holds no image' : 'there is no such image, folder or match',
  });
}

function imagesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => IMAGE.test(name))
    .sort()
    .map((name) => join(folder, name));
}

function matches(pattern: string): string[] {
  const parts = pattern.split(/[\\/]/);
  const fixed = parts.findIndex((part) => /[*?]/.test(part));
  const root = parts.slice(0, fixed).join(sep) || (pattern.startsWith('/') ? sep : '.');
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return [];
  const wanted = new RegExp(`^${parts.slice(fixed).map(toRegExp).join('/').replaceAll('.*/', '(?:.*/)?')}$`);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => wanted.test(name.split(sep).join('/')) && IMAGE.test(name))
    .sort()
    .map((name) => (root === '.' ? name : join(root, name)));
}

function toRegExp(part: string): string {
  if (part === '**') return '.*';
  return part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
}
