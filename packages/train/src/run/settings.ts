import { atomicWrite } from '@rcnn/checkpoint/node';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { TrainConfig } from '../config/options.ts';
import { optionNames } from '../config/schema.ts';
import type { RunFolder } from '../files/folder.ts';
import { readHistory } from '../files/run-file.ts';
import { describeEnvironment } from './environment.ts';

const HEADER = '# Every option of this run. Repeat it with: mask-rcnn train --config config.yaml\n';

/** Words that readers of YAML 1.1 take for something else are quoted: a folder may be called `n`. */
const PLAIN_TO_ALL = { version: '1.1' } as const;

/** Writes the options as resolved, and the machine. A resumed run keeps the first environment and adds its own. */
export async function writeSettings(folder: RunFolder, config: TrainConfig, resuming: boolean): Promise<void> {
  await atomicWrite(folder.config, HEADER + stringify(inOrder(config), PLAIN_TO_ALL));
  const here = describeEnvironment();
  const before = resuming ? runsOf(folder.environment) : [];
  await atomicWrite(folder.environment, `${JSON.stringify({ ...here, runs: [...before, here] }, null, 1)}\n`);
}

/** One description of a machine: names with plain values, or lists of words. */
const machine = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]));

/** The machines of earlier runs; a file that was damaged meanwhile has none to tell, and stops nothing. */
function runsOf(file: string): readonly unknown[] {
  const runs = readHistory(file, z.object({ runs: z.array(z.unknown()) }))?.runs ?? [];
  return runs.filter((run) => machine.safeParse(run).success);
}

/** The options in the order in which the help lists them. */
function inOrder(config: TrainConfig): Partial<TrainConfig> {
  const given = config as unknown as Record<string, unknown>;
  return Object.fromEntries(optionNames.filter((name) => name in given).map((name) => [name, given[name]]));
}
