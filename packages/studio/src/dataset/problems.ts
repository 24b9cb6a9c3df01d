import { inspectDataset } from '@rcnn/coco-data/node';
import type { StudioProblem } from '../api.ts';
import type { DatasetStore } from './dataset-store.ts';

/** Facts that the page shows by itself, and that are no problem. */
const NO_PROBLEM: ReadonlySet<string> = new Set(['image-empty', 'category-unused']);

/** What the doctor says of the dataset as it is on the disk, beside the pictures that it is about. */
export async function problemsOf(store: DatasetStore): Promise<readonly StudioProblem[]> {
  const { problems } = await inspectDataset(store.folder);
  const { pictures } = await store.dataset();
  const keys = new Map(pictures.map(({ file, key }) => [file, key]));
  return problems
    .list(Number.POSITIVE_INFINITY)
    .filter(({ kind }) => !NO_PROBLEM.has(kind))
    .flatMap(({ kind, severity, title, examples }) =>
      examples.map(({ source, place, found }): StudioProblem => {
        const [, list, index] = /^\/(images|annotations)\/(\d+)/.exec(place) ?? [];
        const picture =
          list === undefined
            ? undefined
            : (store.keyAt(source, list as 'images' | 'annotations', Number(index)) ?? keys.get(fileIn(found, keys)));
        return { kind, severity, title, found, picture };
      }),
    );
}

/** Problems of a file say its name first; of a name with a colon in it, the longest that is a picture. */
function fileIn(found: string, keys: ReadonlyMap<string, string>): string {
  let name = found;
  while (!keys.has(name) && name.includes(':')) name = name.slice(0, name.lastIndexOf(':'));
  return name;
}
