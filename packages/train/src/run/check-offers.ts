import { type Dataset, datasetOffers } from '@rcnn/coco-data';
import type { DetectorSpec, TargetExtra } from '@rcnn/core';
import { counted, quoteName, RcnnError } from '@rcnn/core/errors';
import type { Architecture } from '@rcnn/models';
import { COCO_KEYPOINT_FLIP, mirrors } from '@rcnn/transforms';
import type { TrainConfig } from '../config/options.ts';

/** What the user can do where objects lack what the model learns from. */
const WAYS: Readonly<Record<TargetExtra, (others: string) => string>> = {
  masks: (others) =>
    `Train an architecture that learns boxes alone (arch, --arch${others}), or outline the objects and export polygons or masks.`,
  keypoints: (others) => `Train an architecture that learns no key points (arch, --arch${others}), or annotate them.`,
};

/** Architectures that are named to the user. */
const NAMED = 3;

/**
 * Compares what a model learns from with what the objects of its data have, before a run folder is made. Objects that
 * lack it are not left out in silence: the model would be taught that there is background where they are. Validation data
 * must have it too: losses are measured on them, and the first evaluation would end the training.
 * @throws DATASET_INVALID with the count
 */
export function checkOffers(
  dataset: Dataset,
  { learnsFrom }: Pick<DetectorSpec, 'learnsFrom'>,
  where: string,
  architectures: readonly Pick<Architecture, 'name' | 'learnsFrom'>[] = [],
  part: 'training' | 'validation' = 'training',
): void {
  const offers = datasetOffers(dataset);
  for (const extra of learnsFrom) {
    const lacking = offers.boxes - offers[extra];
    if (lacking === 0) continue;
    const all = lacking === offers.boxes;
    const would = architectures.filter(({ learnsFrom: needs }) =>
      needs?.every((need) => offers.boxes === offers[need] && need !== extra),
    );
    const names = would.slice(0, NAMED).map(({ name }) => name);
    const way = WAYS[extra](names.length > 0 ? ` ${names.join(', ')}` : '');
    throw new RcnnError('DATASET_INVALID', {
      where,
      ...(part === 'validation' && { place: `validation data ${quoteName(dataset.name)}` }),
      problem: all ? `the objects have no ${extra}, and this model learns from them` : `some objects have no ${extra}`,
      found: `${lacking} of ${counted(offers.boxes, 'object')} without ${extra}`,
      hint: `${all ? '' : NAMES_EACH}${way}${part === 'validation' ? OTHER_DATA : ''}`,
    });
  }
  if (learnsFrom.includes('masks') && offers.boxes > 0) requireMasksOfAll(dataset, where);
}

const NAMES_EACH = "'mask-rcnn doctor' names each of them. ";
const OTHER_DATA = ' Other validation data are named with valData (--val-data).';

/** The masks of a dataset are there for all of its annotations or for none, those that nothing is learned from included. */
function requireMasksOfAll({ hasMasks, name }: Dataset, where: string): void {
  if (hasMasks) return;
  throw new RcnnError('DATASET_INVALID', {
    where,
    place: quoteName(name),
    problem: 'every object to learn has a mask, but not every other annotation, and so none is read',
    found: 'crowds without a mask, or objects without one that are left out',
    hint: `${NAMES_EACH}Give them masks, or remove those annotations.`,
  });
}

/**
 * A mirrored left hand is a right one. Where it is not known which key points change places, mirrored images would teach
 * both for one.
 * @throws CONFIG_INVALID
 */
export function checkMirroring(
  { numKeypoints, keypointScheme }: Pick<Dataset, 'numKeypoints' | 'keypointScheme'>,
  { learnsFrom }: Pick<DetectorSpec, 'learnsFrom'>,
  { augment }: Pick<TrainConfig, 'augment'>,
): void {
  if (!learnsFrom.includes('keypoints') || !mirrors(augment)) return;
  if (keypointScheme?.partners !== undefined || numKeypoints === COCO_KEYPOINT_FLIP.length) return;
  throw new RcnnError('CONFIG_INVALID', {
    where: 'config',
    place: 'augment',
    problem: `'${augment}' mirrors images, and the data do not say which key points change places then`,
    found: keypointScheme === undefined ? 'no names of key points' : keypointScheme.names.join(', '),
    expected: "names in the category's `keypoints`, such as left_eye and right_eye",
    hint: 'Name the key points so that each has its other side, or train with augment none (--augment none).',
  });
}

/** Nothing can be learned from crowds: said where a dataset has nothing else, as exports of brush masks do. */
export function crowdsHint(dataset: Dataset): string {
  const { crowds, objects } = datasetOffers(dataset);
  if (crowds === 0 || crowds < objects) return '';
  return (
    `${crowds === 1 ? 'The one object is a crowd' : `All ${crowds} objects are crowds`} (iscrowd 1), which are regions of many objects and never learned; CVAT writes ` +
    'brush masks so: export them as polygons, or set iscrowd to 0 where an annotation is one object. '
  );
}
