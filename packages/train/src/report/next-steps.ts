import { statNames } from '@rcnn/coco-eval';
import { counted } from '@rcnn/core/errors';
import type { MetricsLine } from '../files/metrics.ts';
import { kindInWords, mostTellingFirst } from '../loop/kinds.ts';
import type { EvaluationRecord } from '../loop/records.ts';

/** What is known of a run when its report is written. */
export interface RunFacts {
  readonly metrics: readonly MetricsLine[];
  readonly evaluation: EvaluationRecord | undefined;
  /** Of the detections from the best score on: how many are right, and how many objects are found. */
  readonly rates: { readonly precision: number; readonly recall: number } | undefined;
  /** The folder of the run, for what can be typed. */
  readonly folder: string;
}

/** What to change next, most important first, a sentence or two each; one that says to leave it when nothing is found. */
export function nextSteps(facts: RunFacts): string[] {
  const judges = [notLearning, nothingFound, stillRising, pastItsBest, smallerMissed, unbalanced];
  const texts = judges.map((judge) => judge(facts)).filter((text) => text !== undefined);
  if (texts.length > 0) return texts;
  const measured = facts.evaluation !== undefined;
  return measured ? ['Nothing stands out: more annotated pictures of what it confuses are what helps most.'] : [];
}

type Judge = (facts: RunFacts) => string | undefined;

/** Steps below which a curve says nothing. */
const ENOUGH = 40;

const notLearning: Judge = ({ metrics, folder }) => {
  const losses = metrics.filter(({ kind }) => kind === 'step').map(({ loss }) => Number(loss));
  if (losses.length < ENOUGH) {
    if (losses.length === 0) return undefined;
    return `${counted(losses.length, 'step is', 'steps are')} too few to judge by. Go on: mask-rcnn train --resume ${folder} --steps 300`;
  }
  const quarter = Math.floor(losses.length / 4);
  const [first, last] = [mean(losses.slice(0, quarter)), mean(losses.slice(-quarter))];
  if (last < 0.95 * first) return undefined;
  return `The loss has not fallen (${first.toFixed(2)} in the first quarter, ${last.toFixed(2)} in the last). Try another learning rate, a third of it first, or start from pretrained weights.`;
};

const nothingFound: Judge = (facts) => {
  const scores = curveOf(facts);
  if (scores === undefined || scores.values.at(-1)! > 0.005) return undefined;
  return `No ${scores.what} are found yet. Look at the pictures of the first batches below: are the objects where the annotations say? Then train longer, or start from pretrained weights (--weights, --weights-backbone).`;
};

const stillRising: Judge = (facts) => {
  const curve = curveOf(facts);
  if (curve === undefined || curve.values.length < 3) return undefined;
  const [before, last] = [Math.max(...curve.values.slice(0, -1)), curve.values.at(-1)!];
  if (last <= before + 0.01) return undefined;
  const steps = facts.metrics.findLast(({ kind }) => kind === 'step')?.step ?? 0;
  return `AP of ${curve.what} was still rising at the end (${before.toFixed(3)}, then ${last.toFixed(3)}): train longer, with the schedule stretched over it, such as --steps ${Math.ceil((1.5 * steps) / 50) * 50}.`;
};

const pastItsBest: Judge = (facts) => {
  const curve = curveOf(facts);
  if (curve === undefined || curve.values.length < 4) return undefined;
  const best = Math.max(...curve.values);
  const at = curve.values.indexOf(best);
  if (at >= curve.values.length / 2 || curve.values.at(-1)! > best - 0.02) return undefined;
  return `AP of ${curve.what} was best at step ${curve.steps[at]} (${best.toFixed(3)}) and fell afterwards: these pictures are being learnt by heart. The best weights are kept; next time use stronger augmentation (--augment level2), stop early (--patience 3), or add pictures.`;
};

/** How far behind large objects small ones may be. */
const BEHIND = 0.25;

/** COCO's sizes, the smallest first. */
const SIZES = [
  ['APs', 'Small objects (below 32x32 pixels)'],
  ['APm', 'Objects of middle size (32x32 to 96x96 pixels)'],
  ['APl', 'Large objects'],
] as const;

const smallerMissed: Judge = ({ evaluation, folder }) => {
  const kind = mostTellingFirst(Object.keys(evaluation?.results ?? {}))[0] as 'segm' | 'bbox' | undefined;
  if (kind === undefined || evaluation === undefined) return undefined;
  const names = statNames(kind);
  const scores = SIZES.map(([name, what]) => ({
    what,
    score: evaluation.results[kind]!.stats[names.indexOf(name)] ?? -1,
  }));
  const there = scores.filter(({ score }) => score >= 0); // -1: no such objects
  const larger = (i: number): number => Math.max(-1, ...there.slice(i + 1).map(({ score }) => score));
  const at = there.findIndex(({ score }, i) => larger(i) - score >= BEHIND);
  if (at < 0) return undefined;
  const { what, score } = there[at]!;
  return (
    `${what} are found far worse than larger ones (AP ${score.toFixed(3)} and ${larger(at).toFixed(3)}): 'mask-rcnn doctor DATA' says which image size and other options fit them. ` +
    `What these weights find in larger images, without a training: mask-rcnn val DATA --weights ${folder} --min-size 1200 --max-size 2000. ` +
    'Next time let them be learnt enlarged: --augment ssdlite.'
  );
};

const unbalanced: Judge = ({ rates }) => {
  if (rates === undefined) return undefined;
  const { precision, recall } = rates;
  if (recall < 0.6 && precision > recall + 0.25) {
    return `What is found is right (${percent(precision)}), but only ${percent(recall)} of the objects are found: annotate the kinds that are missed in more pictures.`;
  }
  if (precision < 0.6 && recall > precision + 0.25) {
    return `${percent(recall)} of the objects are found, but only ${percent(precision)} of the detections are right: add pictures without objects as negatives (--keep-empty), and look for objects that nobody annotated.`;
  }
  return undefined;
};

/** AP of what tells most, evaluation by evaluation. */
function curveOf({
  metrics,
}: RunFacts): { readonly what: string; readonly values: readonly number[]; readonly steps: readonly number[] } | undefined {
  const epochs = metrics.filter(({ kind }) => kind === 'epoch');
  const names = new Set(epochs.flatMap((line) => Object.keys(line).filter((name) => name.endsWith('/AP'))));
  const kind = mostTellingFirst([...names].map((name) => name.slice(0, -'/AP'.length)))[0];
  if (kind === undefined) return undefined;
  const measured = epochs.filter((line) => Number(line[`${kind}/AP`]) >= 0);
  if (measured.length === 0) return undefined;
  return {
    what: kindInWords(kind),
    values: measured.map((line) => Number(line[`${kind}/AP`])),
    steps: measured.map(({ step }) => step),
  };
} // biome-ignore format: the type

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
