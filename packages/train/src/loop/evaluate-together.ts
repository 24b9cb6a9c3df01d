import { type Dataset, SkipLimit, type SkippedSample, Uncategorized } from '@rcnn/coco-data';
import type { Detector } from '@rcnn/core';
import { broadcastValue, onEveryRank, onRankZero, type ProcessGroup, shardItems } from '@rcnn/distributed';
import {
  EvaluationPass,
  type Example,
  evaluateModel,
  type ImageAnswer,
  lossesFromJson,
  type ModelEvaluation,
  type ModelEvaluationOptions,
  showWorst,
  summarize,
} from './evaluate.ts';

/** What a rank has to say of its images, as JSON can say it. */
interface Part {
  readonly answers: readonly (Omit<ImageAnswer, 'losses'> & {
    readonly losses?: Readonly<Record<string, number | string>> | undefined;
  })[];
  readonly skipped: readonly SkippedSample[];
  /** How many objects no category stands for, by their label. */
  readonly uncategorized: readonly (readonly [label: number, count: number])[];
}

/**
 * {@link evaluateModel} by all ranks: rank `r` of `n` predicts the images `r`, `r + n`, … , and rank 0 adds all answers up
 * in the order of the images, which gives the bits of one process; the seconds are those of all. The model must be the
 * same on every rank. The examples are among the images of rank 0.
 * @returns on rank 0 the evaluation; on the others undefined
 * @throws on each rank what predicting its images throws, PEER_FAILED when another rank failed
 */
export async function evaluateTogether(
  group: ProcessGroup,
  model: Detector,
  dataset: Dataset,
  options: ModelEvaluationOptions = {},
): Promise<ModelEvaluation | undefined> {
  const { rank, size } = group;
  if (size === 1) return evaluateModel(model, dataset, options);
  const { epoch = 0, worst = 0, maxSkipRate, examples: wanted = 0 } = options;
  const examples: Example[] = [];
  const own = await onEveryRank(group, () =>
    predictShare({ rank, size }, model, dataset, options, (example) => {
      if (rank === 0 && examples.length < wanted) examples.push(example);
    }),
  );
  const parts: Part[] = [];
  for (let from = 0; from < size; from++) parts.push(await broadcastValue(group, own, from));
  return onRankZeroAlone(group, async () => {
    const limit = new SkipLimit(dataset, maxSkipRate);
    const skipped = parts.flatMap((part) => part.skipped).toSorted((a, b) => a.index - b.index);
    for (const sample of skipped) limit.add(sample);
    const answers = parts
      .flatMap((part) => part.answers.map((answer) => ({ ...answer, losses: lossesFromJson(answer.losses) })))
      .toSorted((a, b) => a.index - b.index);
    const summary = summarize(dataset, answers, { epoch, finds: model.spec.finds });
    const shown = await showWorst(model, dataset, worst > 0 ? summary.worstImages().slice(0, worst) : []);
    const uncategorized = new Uncategorized();
    for (const part of parts) uncategorized.addCounts(part.uncategorized);
    return { ...summary, examples: [...shown, ...examples], skipped, uncategorized: uncategorized.text };
  });
}

/** The images of one rank. How many of all may be left out is judged when all are there. */
async function predictShare(
  { rank, size }: { readonly rank: number; readonly size: number },
  model: Detector,
  dataset: Dataset,
  { examples = 0, onProgress, losses, badSamples }: ModelEvaluationOptions,
  show: (example: Example) => void,
): Promise<Part> {
  const indices = shardItems([...dataset.images.keys()], { index: rank, count: size }).map(({ place }) => place);
  const every = Math.max(1, Math.floor(indices.length / Math.max(1, examples)));
  const pass = new EvaluationPass(model, dataset, {
    indices,
    maxSkipRate: 1,
    ...(losses !== undefined && { losses }),
    ...(badSamples !== undefined && { badSamples }),
  });
  const answers: Part['answers'][number][] = [];
  for await (const { answer, example } of pass) {
    if (answers.length % every === 0) show(example);
    answers.push({ ...answer, losses: textsOf(answer.losses) });
    onProgress?.(Math.min(dataset.length, size * answers.length), dataset.length);
  }
  return { answers, skipped: pass.skipped, uncategorized: [...pass.uncategorized.counts] };
}

/** As {@link lossesFromJson} reads them. */
function textsOf(losses: ImageAnswer['losses']): Readonly<Record<string, number | string>> | undefined {
  const spelled = (value: number): number | string => (Number.isFinite(value) ? value : String(value));
  return losses && Object.fromEntries(Object.entries(losses).map(([name, value]) => [name, spelled(value)]));
}

/** The others wait, and get nothing. */
async function onRankZeroAlone<T>(group: ProcessGroup, work: () => Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  await onRankZero(group, async () => {
    result = await work();
    return null;
  });
  return result;
}
