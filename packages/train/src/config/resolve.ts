import { RcnnError } from '@rcnn/core/errors';
import type { PartialConfig, TrainConfig } from './options.ts';
import { defaults, presets, RATE_PER_IMAGE } from './presets.ts';
import { problemsOf, schema } from './schema.ts';
import { parseYaml } from './yaml.ts';

/**
 * The whole config: defaults, then the preset, then each part in turn (file, command line).
 * @throws CONFIG_INVALID listing everything that is wrong
 */
export function resolveConfig(...parts: readonly PartialConfig[]): TrainConfig {
  for (const part of parts) checkConfig(part, 'config');
  const given: PartialConfig = Object.assign({}, ...parts) as PartialConfig;
  const { preset = 'torchvision', ...rest } = given;
  const config = { ...defaults, ...presets[preset]!.changes, ...rest };
  if (config.data === undefined) {
    throw new RcnnError('CONFIG_INVALID', {
      where: 'config',
      place: 'data',
      problem: 'no data are given',
      hint: "Name a folder: 'mask-rcnn train path/to/data', or 'data: path/to/data' in the file.",
    });
  }
  // Epochs that were asked for win over a preset's steps, and the other way round.
  const presetSteps = rest.steps === undefined && rest.epochs !== undefined;
  const { steps, ...withoutSteps } = config as TrainConfig;
  return presetSteps || steps === undefined ? withoutSteps : (config as TrainConfig);
}

/** Reads a YAML file of options. @throws CONFIG_INVALID with line and column of each fault */
export function parseConfig(text: string, where: string): PartialConfig {
  const { value, placeOf } = parseYaml(text, where);
  checkConfig(value ?? {}, where, placeOf);
  return (value ?? {}) as PartialConfig;
}

/** The learning rate of one step: stated, or the recipe's rate per image times the images of a step. */
export function learningRateOf({ learningRate, batchSize, accumulate }: TrainConfig): number {
  return learningRate === 'auto' ? RATE_PER_IMAGE * batchSize * accumulate : learningRate;
}

function checkConfig(
  value: unknown,
  where: string,
  placeOf: (path: readonly (string | number)[]) => string = (path) => path.join('.'),
): void {
  const faults = problemsOf(value).flatMap(({ path, message, unknown }) =>
    unknown.length > 0
      ? unknown.map((key) => ({ path: [...path, key], text: `there is no option '${key}'${suggestion(key)}` }))
      : [{ path, text: `${path.join('.')}: ${message}` }],
  );
  if (faults.length === 0) return;
  const placed = faults
    .map(({ path, text }) => ({ place: placeOf(path), text }))
    .toSorted((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }));
  const lines = placed.map(({ place, text }) => `\n  ${place}: ${text}`);
  throw new RcnnError('CONFIG_INVALID', {
    where,
    place: placed[0]!.place,
    problem: placed.length === 1 ? placed[0]!.text : `${placed.length} problems${lines.join('')}`,
    hint: "'mask-rcnn train --help' lists every option.",
  });
}

/** `; did you mean 'epochs'?` when an option is spelt nearly so. */
function suggestion(key: string): string {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '');
  const best = Object.keys(schema.shape)
    .map((name) => ({ name, distance: editDistance(plain(name), plain(key)) }))
    .toSorted((a, b) => a.distance - b.distance)[0]!;
  return best.distance <= Math.max(1, Math.floor(key.length / 3)) ? `; did you mean '${best.name}'?` : '';
}

/** Letters to insert, delete or replace (Levenshtein 1965). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
