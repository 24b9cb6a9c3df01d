import { type ErrorCode, type ErrorDetails, RcnnError } from '@rcnn/core/errors';

type Facts = Pick<ErrorDetails, 'found' | 'expected' | 'hint'>;

/** Refuses a file: throws the error that names it and the place in it. */
export function refuse(code: ErrorCode, where: string, place: string, problem: string, facts: Facts = {}): never {
  throw new RcnnError(code, { where, place, problem, ...facts });
}

/** Refuses a file that contradicts its own format. */
export function malformed(where: string, place: string, problem: string, facts: Facts = {}): never {
  refuse('FILE_MALFORMED', where, place, problem, facts);
}

/** Names that mean something to JavaScript objects; no real tensor has them. */
export const REFUSED_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
