import { findSources, type OpenOptions } from '@rcnn/coco-data/node';
import { validationSplits } from '@rcnn/train';

/** Of several splits the one that is there to measure on, as in training, unless one was asked for. */
export async function validationOf(path: string, options: OpenOptions): Promise<OpenOptions> {
  if (options.split !== undefined) return options;
  const sources = await findSources(path, options);
  const found = sources.length > 1 ? validationSplits(sources) : [];
  return found.length === 1 ? { ...options, split: found[0]!.split } : options;
}
