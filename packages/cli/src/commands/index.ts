import type { CommandDefinition } from '../command.ts';
import { doctor } from './doctor.ts';
import { info } from './info.ts';
import { setup } from './setup.ts';

/** In the order of `mask-rcnn --help`. */
export const commands: readonly CommandDefinition[] = [doctor, info, setup];
