import type { CommandDefinition } from '../command.ts';
import { convert } from './convert.ts';
import { doctor } from './doctor.ts';
import { info } from './info.ts';
import { inspect } from './inspect.ts';
import { setup } from './setup.ts';

/** In the order of `mask-rcnn --help`. */
export const commands: readonly CommandDefinition[] = [inspect, convert, doctor, info, setup];
