import { quoteName, shortened } from '@rcnn/core/errors';
import { malformed, REFUSED_NAMES, refuse } from '../refuse.ts';
import { PickleDict, PickleList, PickleTuple, type PickleValue, TensorRef } from './pickle/values.ts';

/** A tensor of a nested value, and the keys that lead to it. */
export interface Found {
  readonly name: string;
  readonly path: readonly string[];
  readonly tensor: TensorRef;
}

const MAX_DEPTH = 100;
const MAX_VISITS = 1e6;
const MAX_TENSORS = 100_000;
/** In one name. A key of megabytes that stands above thousands of tensors would be copied into each. */
const MAX_NAME = 4096;
/** In all names together. */
const MAX_NAMES = 1 << 24;

/**
 * Every tensor of a value, in the file's order, named by its keys with dots between: `model.conv.weight`. Walks with a
 * stack of its own, so that depth costs no recursion; a value that holds itself, or doubles at every level, is refused.
 * @param asTensor what counts as one; default PyTorch's
 * @throws BUDGET_EXCEEDED, FILE_MALFORMED, FILE_REFUSED
 */
export function findTensors(
  root: PickleValue,
  where: string,
  asTensor: (value: PickleValue) => TensorRef | undefined = torchTensor,
): Found[] {
  const whole = asTensor(root);
  if (whole !== undefined) return [{ name: 'tensor', path: ['tensor'], tensor: whole }];
  const found = new Map<string, Found>();
  const open: Iterator<[string, PickleValue]>[] = [childrenOf(root)];
  const path: string[] = []; // of the value in hand; as long as `open`, or one shorter
  let visits = 0;
  let names = 0;
  while (open.length > 0) {
    path.length = open.length - 1;
    const { done, value: child } = open.at(-1)!.next();
    if (done === true) {
      open.pop();
      continue;
    }
    const [key, value] = child;
    path.push(key);
    if (++visits > MAX_VISITS) overBudget(where, path, `more than ${MAX_VISITS} values`);
    if (path.length > MAX_DEPTH) overBudget(where, path, `nested deeper than ${MAX_DEPTH} levels`);
    const tensor = asTensor(value);
    if (tensor !== undefined) {
      const length = nameLength(path);
      if (length > MAX_NAME) overBudget(where, path, `a name longer than ${MAX_NAME} characters`);
      names += length;
      if (names > MAX_NAMES) overBudget(where, path, `names of more than ${MAX_NAMES} characters together`);
      addTensor(found, { name: path.join('.'), path: [...path], tensor }, where);
    } else if (isContainer(value)) {
      open.push(childrenOf(value));
    }
  }
  return [...found.values()];
}

function torchTensor(value: PickleValue): TensorRef | undefined {
  return value instanceof TensorRef ? value : undefined;
}

function addTensor(found: Map<string, Found>, tensor: Found, where: string): void {
  if (found.size >= MAX_TENSORS) overBudget(where, tensor.path, `more than ${MAX_TENSORS} tensors`);
  if (found.has(tensor.name)) {
    malformed(where, `tensor ${quoteName(tensor.name)}`, 'two tensors have this name');
  }
  if (REFUSED_NAMES.has(tensor.name)) {
    refuse('FILE_REFUSED', where, `tensor ${quoteName(tensor.name)}`, 'a tensor may not have this name');
  }
  found.set(tensor.name, tensor);
}

function isContainer(value: PickleValue): boolean {
  return value instanceof PickleDict || value instanceof PickleList || value instanceof PickleTuple;
}

function* childrenOf(value: PickleValue): Generator<[string, PickleValue]> {
  if (value instanceof PickleDict) {
    let index = 0;
    for (const [key, child] of value.entries) yield [keyText(key, index++), child];
  } else if (value instanceof PickleList || value instanceof PickleTuple) {
    for (const [i, child] of value.items.entries()) yield [String(i), child];
  }
}

/** Keys that are neither text nor numbers go by their place. */
function keyText(key: PickleValue, index: number): string {
  return typeof key === 'object' && key !== null ? `#${index}` : String(key);
}

/** Of the keys with dots between, before they are put together. */
function nameLength(path: readonly string[]): number {
  return path.reduce((sum, key) => sum + key.length, path.length - 1);
}

function overBudget(where: string, path: readonly string[], problem: string): never {
  const shown = path.slice(0, 8).map((key) => shortened(key, 100));
  const place = `${shown.join('.')}${path.length > 8 ? '.…' : ''}`;
  refuse('BUDGET_EXCEEDED', where, place, problem);
}
