import { findSources, type OpenOptions } from '@rcnn/coco-data/node';
import { validationSplit } from '@rcnn/train';

/** Of several splits the one that is there to measure on, as in training, unless one was asked for. */
export async function validationOf(path: string, options: OpenOptions): Promise<OpenOptions> {
  if (options.split !== undefined) return options;
  const sources = await findSources(path, options);
  const split = sources.length > 1 ? validationSplit(sources)?.split : undefined;
  return split === undefined ? options : { ...options, split };
}
