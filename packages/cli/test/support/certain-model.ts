import { stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random } from '@rcnn/core';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { maskRcnnSmall } from 'mask-rcnn';

/**
 * A model that has learned nothing and doubts nothing: where six of its untrained proposals lie it sees an object of the
 * first class that fills its box. What a person does with proposals can be tested without a training.
 */
export async function saveCertainModel(path: string, names: readonly string[]): Promise<void> {
  await tf.setBackend('cpu');
  const numClasses = names.length + 1;
  const model = maskRcnnSmall({ numClasses, minSize: 96, maxSize: 128, random: new Random(3) });
  const parameters = model.namedParameters();
  const set = (name: string, values: readonly number[]): void => {
    const bias = tf.tensor1d([...values]);
    (parameters.get(name)!.value as tf.Variable).assign(bias);
    bias.dispose();
  };
  set('roi_heads.box_predictor.cls_score.bias', [0, 2.5, ...names.slice(1).map(() => 0)]);
  set(
    'roi_heads.mask_predictor.mask_fcn_logits.bias',
    Array<number>(parameters.get('roi_heads.mask_predictor.mask_fcn_logits.bias')!.size).fill(6),
  );
  const classes = names.map((name, i) => ({ label: i + 1, categoryId: i + 1, name }));
  const profile = torchvisionProfile({
    source: 'a test',
    architecture: 'maskrcnn_small',
    numClasses,
    classes,
    options: { detections: 6 },
    input: model.spec.input,
  });
  await saveCheckpoint(path, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
}
