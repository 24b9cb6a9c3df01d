import { createHash } from 'node:crypto';
import { bytesSource, openCheckpoint } from '@rcnn/checkpoint';
import { inspectTensors, nodeHashing } from '@rcnn/checkpoint/node';
import { readYaml } from '@rcnn/coco-data/node';
import { Mask, runsFromString } from '@rcnn/masks';
import { textOf } from './target.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Of each format what the other program can be asked for as well. */
const ANSWERS: ReadonlyMap<string, (bytes: Uint8Array) => unknown> = new Map<string, (bytes: Uint8Array) => unknown>([
  ['rle', (bytes) => sha256(Mask.fromRuns(runsFromString(textOf(bytes), [16, 20])).bitmap())],
  [
    'safetensors',
    async (bytes) => {
      const checkpoint = await openCheckpoint(bytesSource(bytes, 'file'), nodeHashing);
      const list: unknown[] = [];
      for await (const { name, dtype, shape, sha256: digest } of inspectTensors(checkpoint)) {
        list.push([name, dtype, shape, digest]);
      }
      return list;
    },
  ],
  [
    'options',
    (bytes) => {
      const { document, fault } = readYaml(textOf(bytes));
      return fault === undefined ? document.toJS({ maxAliasCount: 0 }) : undefined;
    },
  ],
]);

/** Our answer to one file. @throws what the parser throws */
export async function answerTo(name: string, bytes: Uint8Array): Promise<unknown> {
  return ANSWERS.get(name)!(bytes);
}
