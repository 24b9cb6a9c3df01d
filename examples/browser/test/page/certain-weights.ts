import { checkpointFile, stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { Random } from '@rcnn/core';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { maskRcnnSmall } from 'mask-rcnn';

/**
 * Weights that have learned nothing and doubt nothing: where six of their untrained proposals lie they see a balloon that
 * fills its box.
 */
export async function certainWeights(): Promise<Buffer> {
  await tf.setBackend('cpu');
  const model = maskRcnnSmall({ numClasses: 2, minSize: 96, maxSize: 128, random: new Random(3) });
  const parameters = model.namedParameters();
  const set = (name: string, valueOf: (i: number) => number): void => {
    const { variable } = parameters.get(name)!;
    const bias = tf.tensor1d(Array.from({ length: variable.size }, (_, i) => valueOf(i)));
    (variable as tf.Variable<tf.Rank.R1>).assign(bias);
    bias.dispose();
  };
  set('roi_heads.box_predictor.cls_score.bias', (i) => 2.5 * i);
  set('roi_heads.mask_predictor.mask_fcn_logits.bias', () => 6);
  const profile = torchvisionProfile({
    source: 'a test',
    architecture: 'maskrcnn_small',
    numClasses: 2,
    classes: [{ label: 1, categoryId: 1, name: 'balloon' }],
    options: { detections: 6 },
    input: model.spec.input,
  });
  const file = await checkpointFile({ weights: (await stateDict(model)).values(), profile });
  const parts: Uint8Array[] = [];
  for await (const chunk of file.chunks()) parts.push(new Uint8Array(chunk));
  model.dispose();
  return Buffer.concat(parts);
}
