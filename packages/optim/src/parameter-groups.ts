import type { Parameter } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import type { UpdateSettings } from './optimizer.ts';

export interface GroupOptions {
  /** Default 1e-4. */
  readonly weightDecay?: number;
  /** Weight decay of norms (scale and shift). Default: as `weightDecay`. */
  readonly normWeightDecay?: number | undefined;
  /**
   * Factors on the learning rate by pattern, `{ 'backbone.*': 0.1 }`. The last pattern that matches a name counts.
   * In a pattern `*` stands for any text.
   */
  readonly learningRates?: Readonly<Record<string, number>>;
}

/** What is fixed about a parameter's updates: all but the schedule. */
export interface ParameterGroup {
  /** Factor on the learning rate of the step. */
  readonly rate: number;
  readonly weightDecay: number;
}

/** Settings of every parameter by name. @throws CONFIG_INVALID when a pattern matches nothing */
export function groupParameters(
  parameters: ReadonlyMap<string, Parameter>,
  { weightDecay = 1e-4, normWeightDecay = weightDecay, learningRates = {} }: GroupOptions = {},
): Map<string, ParameterGroup> {
  const rates = Object.entries(learningRates).map(([pattern, rate]) => ({
    matches: matcherOf(pattern),
    pattern,
    rate,
  }));
  for (const { matches, pattern } of rates) requireMatch('learningRates', pattern, matches, parameters);
  return new Map(
    [...parameters.keys()].map((name) => [
      name,
      {
        rate: rates.findLast(({ matches }) => matches(name))?.rate ?? 1,
        weightDecay: isNorm(name, parameters) ? normWeightDecay : weightDecay,
      },
    ]),
  );
}

/** The settings of one step. */
export function settingsAt(groups: ReadonlyMap<string, ParameterGroup>, learningRate: number) {
  return (name: string): UpdateSettings => {
    const group = groups.get(name) ?? { rate: 1, weightDecay: 0 };
    return { learningRate: learningRate * group.rate, weightDecay: group.weightDecay };
  };
}

/** Stops the training of every parameter that a pattern matches. @returns the names. @throws CONFIG_INVALID */
export function freeze(parameters: ReadonlyMap<string, Parameter>, patterns: readonly string[]): string[] {
  const frozen = new Set<string>();
  for (const pattern of patterns) {
    const matches = matcherOf(pattern);
    requireMatch('freeze', pattern, matches, parameters);
    for (const [name, parameter] of parameters) {
      if (!matches(name)) continue;
      parameter.trainable = false;
      frozen.add(name);
    }
  }
  return [...frozen];
}

/** A norm's scale is a vector called `weight`; its shift is the `bias` beside it. No other block has such a weight. */
function isNorm(name: string, parameters: ReadonlyMap<string, Parameter>): boolean {
  const scale = parameters.get(name.replace(/\.bias$/, '.weight'));
  return scale !== undefined && scale.shape.length === 1;
}

function matcherOf(pattern: string): (name: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}

function requireMatch(
  option: string,
  pattern: string,
  matches: (name: string) => boolean,
  parameters: ReadonlyMap<string, Parameter>,
): void {
  const names = [...parameters.keys()];
  if (names.some(matches)) return;
  throw new RcnnError('CONFIG_INVALID', {
    where: option,
    place: pattern,
    problem: 'the pattern matches no parameter',
    hint: `Names look like '${names[0]}'; '*' stands for any text, as in 'backbone.*'.`,
  });
}
