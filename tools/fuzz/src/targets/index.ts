import type { Target } from '../target.ts';
import { checkpoints } from './checkpoints.ts';
import { datasets } from './datasets.ts';
import { evaluation } from './evaluation.ts';
import { images } from './images.ts';
import { masks } from './masks.ts';
import { runFolder } from './run-folder.ts';

/** Every parser of the house that reads what others wrote. */
export const targets: readonly Target[] = [
  ...checkpoints,
  ...datasets,
  ...evaluation,
  ...images,
  ...masks,
  ...runFolder,
];
