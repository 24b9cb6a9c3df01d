import { topK } from '@rcnn/boxes';
import { BACKGROUND } from './match-priors.ts';

/**
 * Which background priors of one image the class loss looks at: those that look least like background, three for each
 * positive. Without positives none.
 * @param surprises `[P]`: cross-entropy of each prior against the background
 * @param labels `[P]` of `matchPriors`
 * @returns rows, ascending
 * @see Shrivastava et al. 2016 (arXiv:1604.03540), as SSD does it
 */
export function mineNegatives(surprises: Float32Array, labels: Int32Array, perPositive = 3): Int32Array {
  const positives = labels.reduce((count, label) => count + (label > 0 ? 1 : 0), 0);
  const wanted = Math.min(perPositive * positives, labels.length - 1);
  const ranked = surprises.map((surprise, prior) => (labels[prior] === BACKGROUND ? surprise : 0));
  return topK(ranked, wanted)
    .filter((prior) => labels[prior] === BACKGROUND)
    .sort();
}
