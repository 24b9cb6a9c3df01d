import type { AnnotationSet, ImageId } from '../records.ts';
import type { Problem, Problems } from './problems.ts';

/** A record, or a whole file of them, that the reader could make nothing of. */
export interface RefusedRecord {
  readonly kind: 'annotation' | 'image' | 'category' | 'file';
  /** The first thing that was wrong with it. */
  readonly what: string;
  readonly imageId?: ImageId;
  /** The place of the object that it is a part of. */
  readonly partOf?: string;
}

/** What the reader of a split refused, by place: nothing that is missing from the set goes unlisted. */
export function refusedRecords(set: AnnotationSet, reading: Problems): ReadonlyMap<string, RefusedRecord> {
  const read = new Set([...set.annotations, ...set.images].map(({ place }) => place));
  const refused = new Map<string, RefusedRecord>();
  for (const { severity, title, examples } of reading.list(Number.POSITIVE_INFINITY)) {
    if (severity !== 'error') continue;
    for (const problem of examples) {
      const { place, kind } = recordAt(problem);
      if (read.has(place) || refused.has(place)) continue;
      const { found, imageId, partOf } = problem;
      const what = `${title}: ${found}`;
      refused.set(place, {
        kind,
        what,
        ...(imageId !== undefined && { imageId }),
        ...(partOf !== undefined && { partOf }),
      });
    }
  }
  return refused;
}

/** The record that a place lies in. */
function recordAt({ place, kind: problem }: Problem): { place: string; kind: RefusedRecord['kind'] } {
  const coco = /^\/(annotation|image|categorie)s?\/\d+/.exec(place);
  if (coco) return { place: coco[0], kind: coco[1] === 'annotation' || coco[1] === 'image' ? coco[1] : 'category' };
  const region = /^.*\/regions\/[^/]+|^\/metadata\/[^/]+/.exec(place);
  if (region) return { place: region[0], kind: 'annotation' };
  const inFile = /^.* object \d+$|^.*\.json shape \d+(?=\/|$)|^.*\.txt:\d+$/.exec(place);
  // A line of a list of pictures is a picture, one of labels an object.
  if (inFile) return { place: inFile[0], kind: problem === 'image-missing' ? 'image' : 'annotation' };
  const json = /^(?!\/).*\.json(?=\/|$)/.exec(place);
  if (json) return { place: json[0], kind: 'file' };
  const image = /^(?:\/_via_img_metadata|\/file)?\/[^/]+/.exec(place);
  return image ? { place: image[0], kind: 'image' } : { place, kind: 'file' };
}
