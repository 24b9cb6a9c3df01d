/** Names of splits as trainings know them: whole, or at the end of a longer one (`lvis_v1_train`, `train2017`). */
const LEARNED = /(?:^|[_\-. ])train(?:ing)?(?:\d{4})?$/i;
const BEGINS_SO = /^train/i;
const HELD_BACK = /(?:^|[_\-. ])(?:val|valid|validation|eval|dev|test|testing)\d*$/i;

/** The split that is learned from: the one that is called so, else the first that is not there to measure on. */
export function learnedSplit<S extends { readonly name: string }>(splits: readonly [S, ...S[]]): S {
  return (
    splits.find(({ name }) => LEARNED.test(name)) ??
    splits.find(({ name }) => BEGINS_SO.test(name)) ??
    splits.find(({ name }) => !HELD_BACK.test(name)) ??
    splits[0]
  );
}
