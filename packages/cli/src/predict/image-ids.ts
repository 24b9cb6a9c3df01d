import { extname } from 'node:path';
import type { ImageId } from '@rcnn/coco-data';

/**
 * An id for each image file, no two alike. COCO's files are named like their ids: `000000000139.jpg` is 139. Others are
 * known by their name, and files that would share an id that way by their path: `a/0001`, `b/0001`.
 */
export function imageIds(files: readonly string[]): ReadonlyMap<string, ImageId> {
  const paths = files.map((file) => file.replaceAll('\\', '/'));
  const ids = paths.map(idOfName);
  for (const widen of [withoutEnding, (path: string) => path]) {
    const counts = new Map<ImageId, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    ids.forEach((id, i) => {
      if (counts.get(id)! > 1) ids[i] = widen(paths[i]!);
    });
  }
  return new Map(files.map((file, i) => [file, ids[i]!]));
}

function idOfName(path: string): ImageId {
  const name = withoutEnding(path.slice(path.lastIndexOf('/') + 1));
  return /^\d{1,15}$/.test(name) ? Number(name) : name;
}

function withoutEnding(path: string): string {
  return path.slice(0, path.length - extname(path).length);
}
