import type { Parameter, ParameterOwner } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { DETECTRON2, renamedBy } from '../programs/names.ts';
import type { TensorEntry, TensorSource } from '../tensor-source.ts';
import { type LoadOptions, loadStateDict } from './load.ts';
import type { LoadReport } from './match.ts';
import { modelTensors, renamed } from './select.ts';

export interface BackboneOptions extends Pick<LoadOptions, 'allowNonFinite'> {
  /** What the names of the body's parameters begin with in the model. Default `backbone.body.`. */
  readonly under?: string | undefined;
}

/** Heads of classifiers, by torchvision's names and timm's; a body has no use for them. */
const HEAD = /^(fc|classifier|head|last_linear)\./;

/**
 * Gives the body of a detector the weights of a classifier: torchvision's or timm's names, any number type, with or
 * without its head, alone or inside another model. Everything else stays as it is. Does not close the source.
 * @throws CHECKPOINT_MISMATCH naming the tensors that do not fit, NON_FINITE, and what reading throws
 */
export async function loadBackbone(
  owner: Pick<ParameterOwner, 'namedParameters'>,
  source: TensorSource,
  { under = 'backbone.body.', ...options }: BackboneOptions = {},
): Promise<LoadReport> {
  const body = new Map<string, Parameter>();
  for (const [name, parameter] of owner.namedParameters()) {
    if (name.startsWith(under)) body.set(name.slice(under.length), parameter);
  }
  if (body.size === 0) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'loadBackbone',
      place: 'under',
      problem: `no parameter of the model begins with '${under}'`,
    });
  }
  const tensors = inTorchvisionsNames(modelTensors(source));
  const prefix = bodyPrefix(tensors, body);
  return loadStateDict({ namedParameters: () => body }, tensors, { ...options, prefix, ignore: HEAD });
}

/** torchvision's own weights as detectron2 carries them (`torchvision/R-50.pkl`): the same numbers under its names. */
function inTorchvisionsNames(source: TensorSource): TensorSource {
  if (!source.tensors.has('stem.conv1.weight') || source.metadata.get('__author__') !== 'torchvision') return source;
  const tensors = new Map<string, TensorEntry>();
  for (const entry of source.tensors.values()) {
    const name = renamedBy(DETECTRON2, `backbone.bottom_up.${entry.name}`);
    const own = name?.startsWith('backbone.body.') ? name.slice('backbone.body.'.length) : entry.name;
    tensors.set(own, renamed(entry, own));
  }
  const { name, format, metadata } = source;
  return { name, format, tensors, metadata, close: () => source.close() };
}

/** Where in a file the body begins: nowhere, or at a name such as `backbone.`, under which most parameters are found. */
function bodyPrefix({ tensors }: TensorSource, body: ReadonlyMap<string, Parameter>): string {
  const first = body.keys().next().value!;
  const prefixes = [...tensors.keys()].filter((name) => name === first || name.endsWith(`.${first}`));
  let best = { prefix: '', hits: 0 };
  for (const prefix of new Set(['', ...prefixes.map((name) => name.slice(0, name.length - first.length))])) {
    let hits = 0;
    for (const name of body.keys()) if (tensors.has(prefix + name)) hits++;
    if (hits > best.hits) best = { prefix, hits };
  }
  return best.prefix;
}
