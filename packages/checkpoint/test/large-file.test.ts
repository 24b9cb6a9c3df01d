import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { heldMemory } from '@rcnn/shared/memory';
import { expect, test } from 'vitest';
import { openTensorFile } from '../src/node/index.ts';
import { rawSafetensors } from './forge.ts';
import { repeats, temporaryDirectory } from './helpers.ts';

const GiB = 2 ** 30;
const directory = temporaryDirectory();

test('a file of 3 GiB is read in pieces, in little memory', async () => {
  const path = join(directory, 'large.safetensors');
  const last = Float32Array.of(1, 2, 3);
  const big = 3 * GiB;
  const header = JSON.stringify({
    big: { dtype: 'U8', shape: [3, GiB], data_offsets: [0, big] },
    last: { dtype: 'F32', shape: [3], data_offsets: [big, big + 12] },
  });
  const head = rawSafetensors(header);
  const file = await open(path, 'w');
  await file.write(head);
  await file.write(new Uint8Array(last.buffer), 0, 12, head.length + big); // the file is sparse: zeros cost nothing
  await file.close();

  const before = heldMemory();
  let peak = 0;
  const source = await openTensorFile(path);
  expect([...new Float32Array((await source.tensors.get('last')!.read()).buffer)]).toEqual([...last]);
  const enough = Math.min(big, repeats(GiB / 2)); // RCNN_TEST_REPEATS=6 reads it to the end
  let bytes = 0;
  for await (const chunk of source.tensors.get('big')!.chunks()) {
    bytes += chunk.byteLength;
    peak = Math.max(peak, heldMemory() - before);
    if (bytes >= enough) break;
  }
  await source.close();
  await rm(path);
  expect(bytes).toBe(enough);
  expect(peak).toBeLessThan(GiB / 4);
});
