import type { CommandDefinition } from '../command.ts';

/** In the order of `mask-rcnn --help`. */
export const commands: readonly CommandDefinition[] = [];
