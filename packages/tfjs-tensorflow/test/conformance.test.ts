import { isRcnnError } from '@rcnn/core';
import { checkCase, departure, EXPECTATIONS, loadCases } from '@rcnn/tfjs-backend-onnxruntime/conformance';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients
import { describe, expect, test } from 'vitest';
import { loadTensorFlow } from '../src/load.ts';

const missing = await open();
const { tolerance, trains } = EXPECTATIONS['tensorflow']!;

describe.skipIf(missing !== undefined)('tensorflow', { meta: { whySkipped: missing } }, () => {
  test.each(loadCases())('$name', async (entry) => {
    const problem = await checkCase(entry, { tolerance, gradients: trains });
    const known = departure('tensorflow', entry.name);
    if (known === undefined) expect(problem).toBeUndefined();
    else expect(problem, `known to depart (${known}), but conforms now`).toBeDefined();
  });
});

/**
 * Makes TensorFlow the current backend; gives the reason when it is not installed. One that is installed and does not
 * start is a failure. This repository does not install
 * tfjs-node, because few need it: `RCNN_TFJS_NODE_APP` names a folder that does.
 */
async function open(): Promise<string | undefined> {
  try {
    loadTensorFlow();
  } catch (error) {
    if (process.env['RCNN_TFJS_NODE_APP'] === undefined && isRcnnError(error, 'ENGINE_MISSING')) return error.message;
    throw error;
  }
  if (!(await tf.setBackend('tensorflow'))) throw new Error("tf.setBackend('tensorflow') failed");
  return undefined;
}
