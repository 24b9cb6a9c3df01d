import type { ParameterLayout } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { strangerOf } from '../programs/program.ts';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { isBackboneAlone } from './body.ts';
import { storedShape } from './layout.ts';
import { currentName, isCounter, isPredictor as isKnownPredictor } from './names.ts';

export interface MatchOptions {
  /** Every parameter must be there and nothing else. Default true. */
  readonly strict?: boolean;
  /**
   * Leave the predictors (the layers whose size is the number of classes) as they are where their shape differs, so
   * that a model for other classes takes everything else. Default false.
   */
  readonly newPredictors?: boolean;
  /**
   * Which parameters are predictors. Default what the model's own `spec` says, for models without one the layers that
   * are predictors in torchvision's networks.
   */
  readonly isPredictor?: ((name: string) => boolean) | undefined;
  /** Only tensors whose name begins so, and without it: `backbone.body.` loads a bare ResNet from a detector. */
  readonly prefix?: string;
  /** Tensors of the file that are not wanted: `/^fc\./` for a classifier's file. */
  readonly ignore?: RegExp;
}

/** What a load did, name by name. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** Parameters of the model that the file does not have. */
  readonly missing: readonly string[];
  /** Tensors of the file that the model does not have. */
  readonly unexpected: readonly string[];
  readonly misshaped: readonly Misshaped[];
  /** Predictors left as they were, because the number of classes differs. */
  readonly skipped: readonly string[];
}

export interface Misshaped {
  readonly name: string;
  /** In PyTorch's layout, as is the next. */
  readonly found: readonly number[];
  readonly expected: readonly number[];
}

/** What matching needs to know of a parameter: `Parameter` has it. */
export interface Expected {
  readonly shape: readonly number[];
  readonly layout: ParameterLayout;
}

export interface Match<P extends Expected> {
  readonly pairs: readonly { readonly name: string; readonly parameter: P; readonly entry: TensorEntry }[];
  readonly report: LoadReport;
}

/**
 * Pairs a model's parameters with a file's tensors, by torchvision's names of today or older ones.
 * @throws CHECKPOINT_MISMATCH with all that does not fit; `error.cause` is the whole {@link LoadReport}
 */
export function matchTensors<P extends Expected>(
  parameters: ReadonlyMap<string, P>,
  source: TensorSource,
  { strict = true, newPredictors = false, isPredictor = isKnownPredictor, prefix = '', ignore }: MatchOptions = {},
): Match<P> {
  const given = new Map<string, TensorEntry>();
  const unexpected: string[] = [];
  for (const entry of source.tensors.values()) {
    if (!entry.name.startsWith(prefix)) continue;
    const stem = entry.name.slice(prefix.length);
    const name = parameters.has(stem) ? stem : currentName(stem);
    if (parameters.has(name) && !given.has(name)) given.set(name, entry);
    else if (!isCounter(name) && ignore?.test(stem) !== true) unexpected.push(entry.name);
  }
  const pairs: { name: string; parameter: P; entry: TensorEntry }[] = [];
  const missing: string[] = [];
  const misshaped: Misshaped[] = [];
  const skipped: string[] = [];
  for (const [name, parameter] of parameters) {
    const entry = given.get(name);
    const expected = storedShape(parameter.shape, parameter.layout);
    if (entry === undefined) missing.push(name);
    else if (entry.shape.join() === expected.join()) pairs.push({ name, parameter, entry });
    else if (newPredictors && isPredictor(name)) skipped.push(name);
    else misshaped.push({ name, found: entry.shape, expected });
  }
  const report: LoadReport = { loaded: pairs.map(({ name }) => name), missing, unexpected, misshaped, skipped };
  // A wrong shape is never a wish; names may be, when the caller says so.
  if (misshaped.length > 0 || (strict && missing.length + unexpected.length > 0)) fail(source, report, isPredictor);
  return { pairs, report };
}

/** Whether what is missing is a detector's. */
function wantsDetector({ missing }: LoadReport): boolean {
  return missing.some((name) => /^(rpn|roi_heads|head)\./.test(name));
}

const SHOWN = 20;
const SHOWN_OF_OTHER = 3; // of another architecture no list of names is of use

function fail(source: TensorSource, report: LoadReport, isPredictor: (name: string) => boolean): never {
  const where = source.name;
  const { missing, unexpected, misshaped } = report;
  const shapes = misshaped.map(
    ({ name, found, expected }) => `${name} [${found.join(',')}], not [${expected.join(',')}]`,
  );
  const others = misshaped.filter(({ name }) => !isPredictor(name));
  const predictorsOnly = misshaped.length > 0 && others.length === 0;
  const other =
    missing.length > report.loaded.length ||
    unexpected.length > report.loaded.length ||
    Math.min(missing.length, others.length) > SHOWN_OF_OTHER;
  const shown = other ? SHOWN_OF_OTHER : SHOWN;
  const stranger = strangerOf(source);
  const lists = [
    listed('missing', missing, shown),
    listed('unexpected', unexpected, shown),
    listed('of another shape', shapes, shown),
  ];
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where,
    place: missing[0] ?? misshaped[0]?.name ?? unexpected[0] ?? '',
    problem: stranger?.problem ?? 'the tensors do not fit the model',
    found: lists.filter((list) => list !== '').join('; '),
    hint:
      stranger?.hint ??
      (wantsDetector(report) && isBackboneAlone(source)
        ? 'The file holds a backbone alone. Train from it: mask-rcnn train --weights-backbone FILE (weightsBackbone), or load it with loadBackbone.'
        : predictorsOnly
          ? 'Only predictors differ: was it trained for other classes? Training from it (mask-rcnn train --weights FILE, `newPredictors: true` in TypeScript) keeps everything else.'
          : other
            ? 'Is it a checkpoint of another architecture?'
            : 'Is it the whole model, and nothing but the model? In TypeScript `strict: false` loads what fits.'),
    cause: report,
  });
}

function listed(kind: string, names: readonly string[], shown: number): string {
  if (names.length === 0) return '';
  const more = names.length > shown ? `, and ${names.length - shown} more` : '';
  return `${names.length} ${kind}: ${names.slice(0, shown).join(', ')}${more}`;
}
