import { ClassMap } from '@rcnn/coco-data';
import { namedClasses } from 'mask-rcnn';
import { note } from '../output/print.ts';
import type { Predicting } from './load.ts';

/**
 * What the labels of a model stand for: as its file says, else as their number tells; undefined when neither does.
 * Labels without a name keep their number, so that nothing is left out.
 */
export function knownClasses(loaded: Pick<Predicting, 'model' | 'profile'>): ClassMap | undefined {
  const { profile, model } = loaded;
  if (profile?.classes !== undefined) return new ClassMap(profile.classes, profile.numClasses);
  const known = namedClasses(loaded);
  if (known.length === 0) return undefined;
  const { numClasses } = model.spec;
  note(`the weights name no classes; ${numClasses} of them are taken for COCO's`);
  const names = new Map(known.map(({ label, name }) => [label, name]));
  const labels = Array.from({ length: numClasses - 1 }, (_, i) => i + 1);
  const entries = labels.map((label) => ({ label, categoryId: label, name: names.get(label) ?? `class ${label}` }));
  return new ClassMap(entries, numClasses);
}

/**
 * The classes of a model under the ids that a dataset has for their names; undefined where it does not have all of them,
 * for then an id may mean another class there.
 */
export function byName(own: ClassMap, data: ClassMap): ClassMap | undefined {
  const ids = new Map(data.classes.map(({ name, categoryId, textId }) => [name, { categoryId, textId }]));
  const isUnclear =
    ids.size < data.classes.length || new Set(own.classes.map(({ name }) => name)).size < own.classes.length;
  if (isUnclear || !own.classes.every(({ name }) => ids.has(name))) return undefined;
  return new ClassMap(
    own.classes.map(({ label, name }) => ({ label, name, ...ids.get(name)! })),
    own.numClasses,
  );
}
