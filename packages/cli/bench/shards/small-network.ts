import { join } from 'node:path';
import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random, useEngine } from '@rcnn/core';
import { maskRcnnSmall } from 'mask-rcnn';

/** A file with a small network that has learnt nothing, the same each time. */
export async function saveSmallNetwork(folder: string): Promise<string> {
  await useEngine('cpu');
  const model = maskRcnnSmall({ numClasses: 4, random: new Random(1) });
  const profile = torchvisionProfile({ source: 'seeded', numClasses: 4, architecture: 'maskrcnn_small' });
  const file = join(folder, 'small.safetensors');
  await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
  return file;
}
