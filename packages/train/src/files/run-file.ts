import { readTextSync } from '@rcnn/files';
import type { z } from 'zod';

/**
 * A JSON file that only tells of the past: what cannot be read, or is of another form, is passed over, because a run
 * goes on just as well without it.
 */
export function readHistory<T>(path: string, form: z.ZodType<T>): T | undefined {
  try {
    const { data } = form.safeParse(JSON.parse(readTextSync(path)));
    return data;
  } catch {
    return undefined;
  }
}
