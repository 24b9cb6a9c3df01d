import { type DatasetSettings, MAX_SKIP_RATE } from '../../dataset-settings.ts';
import type { OpenOptions } from './open.ts';

/** What the readers take, from what a person says. */
export function openOptionsOf({
  images,
  format,
  split,
  className,
  classAttribute,
  zeroBased,
  autoOrient,
  badSamples,
  maxSkipRate = MAX_SKIP_RATE,
  maxPixels,
  keepEmpty,
}: DatasetSettings): OpenOptions {
  return {
    ...(images !== undefined && { images }),
    ...(format !== undefined && format !== 'auto' && { format }),
    ...(split !== undefined && { split }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(autoOrient !== undefined && { orientation: autoOrient ? ('apply' as const) : ('ignore' as const) }),
    ...(keepEmpty !== undefined && { keepEmpty }),
    ...(badSamples === 'skip' ? { policy: 'drop', maxSkipRate } : { policy: 'fail' }),
    via: {
      ...(className !== undefined && { className }),
      ...(classAttribute !== undefined && { classAttribute }),
    },
    voc: { oneBased: zeroBased !== true },
  };
}
