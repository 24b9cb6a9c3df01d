import { createHash } from 'node:crypto';
import type { ParameterOwner } from '@rcnn/core';
import { counted, RcnnError } from '@rcnn/core/errors';
import { broadcastValue, onEveryRank, type ProcessGroup } from '@rcnn/distributed';
import type { TrainConfig } from '../config/options.ts';
import type { TrainingData } from './data.ts';
import { type DataRecord, dataRecordOf } from './data-record.ts';

/** Options that each process has for itself: where things lie on its machine, and how many threads it may use. */
const LOCAL: readonly string[] = ['data', 'valData', 'images', 'workers', 'threads', 'engine', 'memory', 'out', 'name'];

const HINT = 'Start all processes with the same options on the same data.';

/**
 * Refuses to train together with other options than rank 0 has: the mean of such gradients means nothing.
 * @throws CONFIG_INVALID naming what differs on the rank where it does; PEER_FAILED on the others
 */
export async function agreeOnOptions(group: ProcessGroup, own: TrainConfig, first: TrainConfig): Promise<void> {
  const text = (value: unknown): string => (value === undefined ? 'not given' : JSON.stringify(value));
  const [here, there] = [own, first].map(sharedOptions) as [Record<string, unknown>, Record<string, unknown>];
  const names = [...new Set([...Object.keys(here), ...Object.keys(there)])];
  const differences = names.flatMap((name) => {
    const [mine, theirs] = [text(here[name]), text(there[name])];
    return mine === theirs ? [] : [`${name}: ${mine} here, ${theirs} there`];
  });
  await onEveryRank(group, async () => refuse(group, differences));
}

/** Refuses other data or another model than rank 0 has. @throws as {@link agreeOnOptions} */
export async function agreeOnData(group: ProcessGroup, data: TrainingData, model: ParameterOwner): Promise<void> {
  if (group.size === 1) return;
  const own = { data: dataRecordOf(data), model: digestOf(model) };
  const first = await broadcastValue(group, own);
  const differences = (['train', 'val'] as const).flatMap((part) => {
    const [here, there] = [own.data[part], first.data[part]];
    if (here?.sha256 === there?.sha256) return [];
    return [`the ${part === 'train' ? 'training' : 'validation'} data: ${inWords(here)} here, ${inWords(there)} there`];
  });
  if (differences.length === 0 && own.model !== first.model) differences.push('the parameters of the model');
  await onEveryRank(group, async () => refuse(group, differences));
}

function refuse({ rank }: ProcessGroup, differences: readonly string[]): void {
  if (differences.length === 0) return;
  throw new RcnnError('CONFIG_INVALID', {
    where: `rank ${rank}`,
    problem: `it differs from rank 0 in ${differences.join('; ')}`,
    hint: HINT,
  });
}

/** The options of rank 0 with those that a process was given for itself. */
export function asOnRankZero(first: TrainConfig, own: Partial<TrainConfig>): TrainConfig {
  return { ...first, ...Object.fromEntries(Object.entries(own).filter(([name]) => LOCAL.includes(name))) };
}

function sharedOptions(config: TrainConfig): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !LOCAL.includes(name)));
}

function digestOf(model: ParameterOwner): string {
  const hash = createHash('sha256');
  for (const [name, { shape, trainable }] of model.namedParameters())
    hash.update(JSON.stringify([name, shape, trainable]));
  return hash.digest('hex');
}

function inWords(record: DataRecord['train']): string {
  if (record === undefined) return 'none';
  return `${counted(record.images, 'image')} with ${counted(record.objects, 'object')} (${record.sha256.slice(0, 8)})`;
}
