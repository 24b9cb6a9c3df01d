import type { IoUType } from '@rcnn/coco-eval';
import type { Finding } from '@rcnn/core';

/** What a detector finds, by the name that COCO's evaluation has for it. */
export const KIND_OF: Readonly<Record<Finding, IoUType>> = { boxes: 'bbox', masks: 'segm', keypoints: 'keypoints' };

const WORDS: Readonly<Record<string, string>> = { bbox: 'boxes', segm: 'masks', keypoints: 'key points' };
const SINGULAR: Readonly<Record<string, string>> = { bbox: 'box', segm: 'mask', keypoints: 'key point' };

/** `segm` in plain words: `masks`. A kind that is not known is its own word. */
export function kindInWords(kind: string): string {
  return WORDS[kind] ?? kind;
}

/** As it stands before a number: `mask` of `mask AP`. */
export function kindAsAdjective(kind: string): string {
  return SINGULAR[kind] ?? kind;
}

/** Kinds with the most telling one first: what a detector finds beside boxes is what it was made for. */
export function mostTellingFirst(kinds: readonly string[]): string[] {
  return [...kinds.filter((kind) => kind !== KIND_OF.boxes), ...kinds.filter((kind) => kind === KIND_OF.boxes)];
}

/** The kinds that scores have an AP of, the most telling one first. */
export function kindsOf(scores: Readonly<Record<string, number>>): string[] {
  const names = Object.keys(scores).filter((name) => name.endsWith('/AP'));
  return mostTellingFirst(names.map((name) => name.slice(0, -'/AP'.length)));
}
