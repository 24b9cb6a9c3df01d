import type { TensorSource } from '../tensor-source.ts';

/** Whether a file holds the body of a detector, or a classifier, and no detector. */
export function isBackboneAlone({ tensors }: Pick<TensorSource, 'tensors'>): boolean {
  const names = [...tensors.keys()];
  const detects = names.some((name) =>
    /(^|\.)(rpn|rpn_head|roi_heads?|proposal_generator|prediction_layers|head\.classification_head)\./.test(name),
  );
  const body = /(^|\.)(layer1\.0\.conv1|features\.0|stem\.conv1|res2\.0\.conv1|conv1)\.weight$/;
  return !detects && names.some((name) => body.test(name));
}
