import { type CocoAnnotation, type CocoResult, errorBreakdown } from '@rcnn/coco-eval';
import type { Disagreement, KeptObject, Proposal, StudioClass, StudioPicture } from '../api.ts';

/** From this score on a model is taken at its word. */
const BELIEVED = 0.5;

/**
 * Where a model sees a picture otherwise than its outlines say, by the error kinds of the evaluation: an object counts
 * as found where half of both outlines is common to them. Classes that the dataset has no name for are left out: nobody
 * outlined them. So is what lies in a crowd.
 */
export function disagreementOf(
  picture: StudioPicture,
  classes: readonly StudioClass[],
  proposals: readonly Proposal[],
): Disagreement {
  const ids = new Map(classes.map(({ id, name }) => [name.toLowerCase(), id]));
  const believed = proposals.filter(({ name, score }) => score >= BELIEVED && ids.has(name.toLowerCase()));
  const outlined = picture.objects.every(({ polygons }) => polygons.length > 0);
  const { counts } = errorBreakdown(
    {
      images: [{ id: 1, width: picture.width, height: picture.height }],
      categories: [...classes],
      annotations: picture.objects.map(annotationOf),
    },
    believed.map(
      (proposal): CocoResult => ({ ...resultOf(proposal), category_id: ids.get(proposal.name.toLowerCase())! }),
    ),
    // An object that has a box alone can be compared by its box alone.
    { iouType: outlined ? 'segm' : 'bbox' },
  );
  const { missed, background: extra, duplicate: twice, classification: otherClass, localisation, both } = counts;
  return { revision: picture.revision, missed, extra, twice, otherClass, otherOutline: localisation + both };
}

function annotationOf({ id, classId, polygons, box, area, editable }: KeptObject): CocoAnnotation {
  return { id, image_id: 1, category_id: classId, area, iscrowd: editable === false, ...shapeOf(polygons, box) };
}

function resultOf({ score, polygons, box }: Proposal): Omit<CocoResult, 'category_id'> {
  return { image_id: 1, score, ...shapeOf(polygons, box) };
}

function shapeOf(
  polygons: readonly (readonly number[])[],
  [x1, y1, x2, y2]: Proposal['box'],
): Pick<CocoResult, 'bbox' | 'segmentation'> {
  const bbox = [x1, y1, x2 - x1, y2 - y1];
  return polygons.length === 0 ? { bbox } : { bbox, segmentation: polygons };
}
