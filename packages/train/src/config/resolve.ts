import { quoteName, RcnnError } from '@rcnn/core/errors';
import {
  type Architecture,
  architectures as builtIn,
  findArchitecture,
  formerOptions,
  type OptionFault,
  optionFaults,
  presetModels,
} from '@rcnn/models';
import type { PartialConfig, TrainConfig } from './options.ts';
import { defaults, presets, RATE_PER_IMAGE } from './presets.ts';
import { optionNames, problemsOf } from './schema.ts';
import { parseYaml } from './yaml.ts';

/**
 * The whole config: defaults, then the preset, then each part in turn (file, command line).
 * @throws CONFIG_INVALID listing everything that is wrong but the model's options, which {@link architectureOf} checks
 */
export function resolveConfig(...parts: readonly PartialConfig[]): TrainConfig {
  for (const part of parts) checkConfig(part, 'config');
  const given: Partial<TrainConfig> & { readonly preset?: string } = Object.assign({}, ...parts.map(withoutFormer));
  const { preset = 'torchvision', ...rest } = given;
  const arch = rest.arch ?? presetModels[preset]?.arch ?? defaults.arch;
  const own = Object.assign({}, ...parts.map(modelOptions)) as TrainConfig['model'];
  const model = { ...presetOptions(preset, arch, own), ...own };
  const rate = presetModels[preset]?.rates?.[arch];
  const ofArch = rate === undefined ? {} : { learningRate: rate };
  const config = { ...defaults, ...presets[preset]!.changes, ...ofArch, ...rest, arch, model };
  if (config.data === undefined) {
    throw new RcnnError('CONFIG_INVALID', {
      where: 'config',
      place: 'data',
      problem: 'no data are given',
      hint: "Name a folder: 'mask-rcnn train path/to/data', or 'data: path/to/data' in the file.",
    });
  }
  const steps = stepsOf(parts, presets[preset]!.changes.steps);
  const { steps: _, ...withoutSteps } = config as TrainConfig;
  return steps === undefined ? withoutSteps : { ...withoutSteps, steps };
}

/**
 * The steps that hold: the last part that says how long to train wins, whether it says so in steps or in epochs. One
 * that says both, as the file of a run does, means its steps; a preset comes before all parts.
 */
function stepsOf(parts: readonly PartialConfig[], ofPreset: number | undefined): number | undefined {
  let steps = ofPreset;
  for (const part of parts) {
    if ('steps' in part) steps = part.steps;
    else if (part.epochs !== undefined) steps = undefined;
  }
  return steps;
}

/** The architecture that a config names, its options checked. @throws INVALID_ARGUMENT, CONFIG_INVALID */
export function architectureOf({ arch, model }: TrainConfig, architectures: readonly Architecture[]): Architecture {
  const architecture = findArchitecture(architectures, arch);
  const faults = optionFaults(architecture, model).map((fault) => ({ ...fault, path: ['model', ...fault.path] }));
  refuse(faults, `config of ${arch}`, Object.keys(architecture.optionSchema.shape));
  return architecture;
}

/** What to say about options that are given under a former name; undefined when none is. */
export function formerNote(...parts: readonly PartialConfig[]): string | undefined {
  const names = FORMER.filter(([name]) => parts.some((part) => name in part));
  if (names.length === 0) return undefined;
  const moved = names.map(([name, now]) => `${name} is model.${now}`);
  return `Options of the model are under 'model' now, and were taken from where they stood: ${moved.join(', ')}.`;
}

const FORMER = Object.entries(formerOptions);

function withoutFormer(part: PartialConfig): object {
  return Object.fromEntries(Object.entries(part).filter(([name]) => !Object.hasOwn(formerOptions, name)));
}

/** The model's options of one part, those under a former name among them. */
function modelOptions(part: PartialConfig): object {
  const given = part as Readonly<Record<string, unknown>>;
  const former = FORMER.filter(([name]) => given[name] !== undefined).map(([name, now]) => [now, given[name]]);
  return { ...Object.fromEntries(former), ...part.model };
}

/** A preset's choices, as far as the architecture has such options; another's are not meant. */
function presetOptions(preset: string, arch: string, own: TrainConfig['model']): TrainConfig['model'] {
  const known = builtIn.find(({ name }) => name === arch)?.optionSchema.shape ?? {};
  const chosen = Object.entries(presetModels[preset]?.model ?? {});
  const fitting = Object.fromEntries(chosen.filter(([name]) => Object.hasOwn(known, name))) as TrainConfig['model'];
  const { trainMinSize: _, ...others } = fitting;
  return own['minSize'] === undefined ? fitting : others; // who names one size means training too
}

/** Reads a YAML file of options. @throws CONFIG_INVALID with line and column of each fault */
export function parseConfig(text: string, where: string): PartialConfig {
  const { value, placeOf } = parseYaml(text, where);
  // A line of a file does not say which option stands there.
  const nameOf: PlaceOf = (path) => `${path.join('.')}: `;
  refuse(problemsOf(value ?? {}), where, optionNames, { placeOf, nameOf });
  return (value ?? {}) as PartialConfig;
}

/**
 * The learning rate of one step: stated, or the recipe's rate per image times the images of a step.
 * @param processes that train together. Default 1
 */
export function learningRateOf({ learningRate, batchSize, accumulate }: TrainConfig, processes = 1): number {
  return learningRate === 'auto' ? RATE_PER_IMAGE * batchSize * accumulate * processes : learningRate;
}

/** Faults that one error shows; the rest are counted. */
const MOST_FAULTS = 20;

/** A key that is longer is no option that was spelt wrongly. */
const LONGEST_KEY = 60;

type PlaceOf = (path: readonly (string | number)[]) => string;

/**
 * Checks options that come from somewhere else than a file.
 * @param placeOf what an option is called there. Default its name
 * @throws CONFIG_INVALID with every fault
 */
export function checkConfig(value: unknown, where: string, placeOf?: PlaceOf): void {
  refuse(problemsOf(value), where, optionNames, { placeOf });
}

/** @throws CONFIG_INVALID with every fault, unless there is none */
function refuse(
  problems: readonly OptionFault[],
  where: string,
  known: readonly string[],
  {
    placeOf = (path) => path.join('.'),
    nameOf = () => '',
  }: { readonly placeOf?: PlaceOf | undefined; readonly nameOf?: PlaceOf } = {},
): void {
  const faults = problems.flatMap(({ path, expected, found, unknown }) =>
    unknown.length > 0
      ? unknown.map((key) => ({
          path: [...path, key],
          text: () => `there is no option ${quoteName(key)}${suggestion(key, known)}`,
        }))
      : [{ path, text: () => `${nameOf(path)}expected ${expected}, found ${found}` }],
  );
  if (faults.length === 0) return;
  // Where a fault stands is looked for from the top of the file, so only those that are shown are.
  const more = faults.length > MOST_FAULTS ? `\n  and ${faults.length - MOST_FAULTS} more` : '';
  const placed = faults
    .slice(0, MOST_FAULTS)
    .map(({ path, text }) => ({ place: placeOf(path), text: text() }))
    .toSorted((a, b) => a.place.localeCompare(b.place, 'en', { numeric: true }));
  const lines = placed.map(({ place, text }) => `\n  ${place}: ${text}`);
  throw new RcnnError('CONFIG_INVALID', {
    where,
    place: placed[0]!.place,
    problem: faults.length === 1 ? placed[0]!.text : `${faults.length} problems${lines.join('')}${more}`,
    hint: "'mask-rcnn train --help' lists every option.",
  });
}

/** `; did you mean 'epochs'?` when an option is spelt nearly so. */
function suggestion(key: string, known: readonly string[]): string {
  if (key.length > LONGEST_KEY) return '';
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '');
  const best = known
    .map((name) => ({ name, distance: editDistance(plain(name), plain(key)) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  if (best === undefined || best.distance > Math.max(1, Math.floor(key.length / 3))) return '';
  return `; did you mean '${best.name}'?`;
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
