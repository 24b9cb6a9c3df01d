import { decodeImage } from '@rcnn/coco-data/node';
import type { Detection, PixelImage } from '@rcnn/core';
import { isRcnnError } from '@rcnn/core/errors';
import type { Proposal } from '../api.ts';
import type { Answer, Question } from './messages.ts';

/** A model that is loaded. */
export interface OpenedModel {
  /** All that it finds, whatever the score: the page has a slider. */
  detect(images: readonly PixelImage[]): Promise<readonly (readonly Detection[])[]>;
  /** What a label is called. */
  nameOf(label: number): string;
  dispose(): void;
}

/** Objects below it are never worth a look. */
const LEAST_SCORE = 0.05;

/** More than these would hide the picture. */
const MOST_OBJECTS = 100;

/**
 * The other side of `ModelProcess`: answers questions one after the other until the studio goes away. The model that was
 * asked last stays loaded.
 * @param open loads weights by run folder, file, name or address
 */
export async function answerProposals(open: (weights: string) => Promise<OpenedModel>): Promise<void> {
  let current: { readonly weights: string; readonly model: OpenedModel } | undefined;
  const modelOf = async (weights: string): Promise<OpenedModel> => {
    if (current?.weights === weights) return current.model;
    current?.model.dispose();
    current = undefined;
    current = { weights, model: await open(weights) };
    return current.model;
  };
  let turn = Promise.resolve();
  process.on('message', (question: Question) => {
    turn = turn.then(async () => {
      const answer = await answerOf(question, modelOf);
      process.send?.(answer);
    });
  });
  await new Promise<void>((resolve) => process.once('disconnect', resolve));
  await turn;
  current?.model.dispose();
}

async function answerOf(
  { id, weights, bytes, turn }: Question,
  modelOf: (weights: string) => Promise<OpenedModel>,
): Promise<Answer> {
  try {
    const image = await decodeImage(bytes, { name: 'picture', orientation: turn ? 'apply' : 'ignore' });
    const model = await modelOf(weights);
    const begin = performance.now();
    const [found = []] = await model.detect([image]);
    const objects = found
      .filter(({ score }) => score >= LEAST_SCORE)
      .toSorted((a, b) => b.score - a.score)
      .slice(0, MOST_OBJECTS)
      .map((detection) => proposalOf(detection, model));
    const { width, height } = image;
    return { id, proposals: { width, height, objects, seconds: (performance.now() - begin) / 1000 } };
  } catch (error) {
    const { code, message } = isRcnnError(error) ? error : { code: 'INTERNAL', message: String(error) };
    return { id, error: { code, message } };
  }
}

function proposalOf({ label, score, box, mask }: Detection, model: OpenedModel): Proposal {
  const [x1, y1, x2, y2] = box;
  const polygons = mask?.polygons() ?? [[x1, y1, x2, y1, x2, y2, x1, y2]];
  return { name: model.nameOf(label), score, box, polygons };
}
