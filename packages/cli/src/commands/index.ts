import type { CommandDefinition } from '../command.ts';
import { completion } from './completion.ts';
import { convert } from './convert.ts';
import { convertData } from './convert-data.ts';
import { doctor } from './doctor.ts';
import { evaluate } from './evaluate.ts';
import { exportModel } from './export.ts';
import { info } from './info.ts';
import { inspect } from './inspect.ts';
import { launch } from './launch.ts';
import { merge } from './merge.ts';
import { predict } from './predict.ts';
import { preview } from './preview.ts';
import { replay } from './replay.ts';
import { serve } from './serve.ts';
import { setup } from './setup.ts';
import { studio } from './studio.ts';
import { train } from './train.ts';
import { val } from './val.ts';
import { visualize } from './visualize.ts';

/** In the order of `mask-rcnn --help`. */
export const commands: readonly CommandDefinition[] = [
  train,
  launch,
  val,
  replay,
  predict,
  merge,
  serve,
  studio,
  visualize,
  preview,
  evaluate,
  inspect,
  convert,
  exportModel,
  convertData,
  doctor,
  info,
  setup,
  completion,
];
