import { ClassMap, type ClassMapJSON, type Dataset, SkipLimit, Uncategorized } from '@rcnn/coco-data';
import type { Finding } from '@rcnn/core';
import { RcnnError } from '@rcnn/core/errors';
import { type ImageAnswer, lossesFromJson, type ModelEvaluation, summarize } from '@rcnn/train';
import { note } from '../output/print.ts';
import type { PartSet } from '../shards/part-set.ts';
import type { EvaluationLine } from './shard.ts';
import { truthDigest } from './shard.ts';

/**
 * The evaluation of all parts together: to the bit that of one process, for the same answers are added up in the same
 * order. Only the seconds are those of all processes.
 * @throws INVALID_ARGUMENT when these are not the data of the parts
 */
export async function mergeEvaluation(
  parts: PartSet,
  dataset: Dataset,
  maxSkipRate: number | undefined,
): Promise<Pick<ModelEvaluation, 'record' | 'scores' | 'predictions' | 'analysis' | 'uncategorized'>> {
  const { run } = parts.header;
  const digest = truthDigest(dataset);
  if (digest !== run['data']) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: dataset.name,
      problem: 'these are not the data that the parts were made with',
      found: `digest ${digest}`,
      expected: `digest ${String(run['data'])}`,
      hint: 'Give the same data, split and dataset options as to val.',
    });
  }
  const answers: ImageAnswer[] = [];
  const uncategorized = new Uncategorized();
  const limit = new SkipLimit(dataset, maxSkipRate);
  for await (const lines of parts.items()) {
    const { place, ...line } = lines[0] as EvaluationLine;
    if ('error' in line) {
      const { image_id: imageId, error } = line;
      note(`left out image ${imageId}: ${error.message}`);
      limit.add({ index: place, imageId, message: error.message });
    } else {
      const { uncategorized: counts = [], ...answer } = line;
      uncategorized.addCounts(counts);
      answers.push({ ...answer, index: place, losses: lossesFromJson(line.losses) });
    }
  }
  const summary = summarize(dataset, answers, { finds: String(run['finds']).split(',') as Finding[] });
  return { ...summary, uncategorized: uncategorized.text };
}

/** The classes that the model of the parts knows. @throws FILE_MALFORMED */
export function classesOf({ header }: PartSet): ClassMap {
  try {
    return ClassMap.fromJSON(JSON.parse(String(header.run['classes'])) as ClassMapJSON);
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', { where: 'merge', problem: 'the parts name no classes', cause });
  }
}
