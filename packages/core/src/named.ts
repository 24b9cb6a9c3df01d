import * as tf from '@tensorflow/tfjs-core';
import type { Losses } from './detector.ts';
import { RcnnError } from './errors.ts';

/**
 * Named things of several owners as one map, in the owners' order.
 * @param what a thing is called in the error: `a parameter`
 * @throws INVALID_ARGUMENT when two owners have a thing of one name: one of them would be lost without a word
 */
export function mergeNamed<T>(
  where: string,
  what: string,
  owners: Iterable<readonly [owner: string, things: Iterable<readonly [name: string, thing: T]>]>,
): Map<string, T> {
  const merged = new Map<string, T>();
  const ownerOf = new Map<string, string>();
  for (const [owner, things] of owners) {
    for (const [name, thing] of things) {
      const other = ownerOf.get(name);
      if (other !== undefined) {
        throw new RcnnError('INVALID_ARGUMENT', {
          where,
          place: name,
          problem: `${what} has a name that is taken`,
          found: `'${name}' of ${owner} and of ${other}`,
          hint: 'Give one of them another name.',
        });
      }
      ownerOf.set(name, owner);
      merged.set(name, thing);
    }
  }
  return merged;
}

/**
 * The losses of several parts as one record, in the parts' order. When two have one name, all are disposed.
 * @throws INVALID_ARGUMENT naming the loss and the two parts
 */
export function mergeLosses(where: string, parts: Readonly<Record<string, Losses>>): Losses {
  const owners = Object.entries(parts);
  try {
    const entries = owners.map(([owner, losses]) => [`'${owner}'`, Object.entries(losses)] as const);
    return Object.fromEntries(mergeNamed(where, 'a loss', entries));
  } catch (error) {
    for (const [, losses] of owners) tf.dispose({ ...losses });
    throw error;
  }
}
