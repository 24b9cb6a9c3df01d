import { isTrainingSplit } from '@rcnn/train';

const BEGINS_SO = /^train/i;
const HELD_BACK = /(?:^|[_\-. ])(?:val|valid|validation|eval|dev|test|testing)\d*$/i;

/** The split that is learned from: the one that is called so, else the first that is not there to measure on. */
export function learnedSplit<S extends { readonly name: string }>(splits: readonly [S, ...S[]]): S {
  return (
    splits.find(({ name }) => isTrainingSplit(name)) ??
    splits.find(({ name }) => BEGINS_SO.test(name)) ??
    splits.find(({ name }) => !HELD_BACK.test(name)) ??
    splits[0]
  );
}
