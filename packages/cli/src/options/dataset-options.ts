import type { DatasetSettings } from '@rcnn/coco-data';
import type { OpenOptions } from '@rcnn/coco-data/node';
import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import { describe, numberOf } from './flags.ts';
import { addProperty, flagOf, groupOf, type Property, valueOf } from './schema.ts';

/** The parsed options of a command that opens data, the settings of the data among them. */
export type DatasetFlags = Readonly<Partial<Record<keyof DatasetSettings, unknown>>>;

/** Adds the settings that say what a dataset is: the same in every command that opens data, in YAML and TypeScript. */
export function addDatasetOptions(command: Command): Command {
  for (const [name, property] of Object.entries(groupOf('Dataset'))) addProperty(command, name, property);
  return command;
}

/** The settings that were given. @throws INVALID_ARGUMENT */
export function datasetSettings(flags: DatasetFlags): DatasetSettings {
  const given = Object.entries(groupOf('Dataset')).flatMap(([name, property]): [string, unknown][] => {
    const value = flags[name as keyof DatasetSettings];
    if (typeof value === 'boolean') return [[name, value]];
    return typeof value === 'string' ? [[name, checked(value, property, name)]] : [];
  });
  return Object.fromEntries(given) as DatasetSettings;
}

/** What the readers take. @throws INVALID_ARGUMENT */
export async function openOptions(flags: DatasetFlags): Promise<OpenOptions> {
  const { openOptionsOf } = await import('@rcnn/coco-data/node');
  return openOptionsOf(datasetSettings(flags));
}

/** A value that fits the schema, which gives numbers their range. */
function checked(text: string, property: Property, name: string): unknown {
  const { type, minimum: from, maximum: to } = property;
  if (type !== 'integer' && type !== 'number') return valueOf(text, property, name);
  const range = {
    ...(from !== undefined && { from }),
    // JSON schema bounds integers by what is exact; nobody needs to read that number.
    ...(to !== undefined && to < Number.MAX_SAFE_INTEGER && { to }),
    whole: type === 'integer',
  };
  const value = numberOf(text, range);
  if (value !== undefined) return value;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'mask-rcnn',
    place: flagOf(name),
    problem: 'cannot read the value',
    found: `'${text}'`,
    expected: describe(range),
  });
}
