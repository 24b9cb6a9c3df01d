/**
 * For programs that import `@tensorflow/tfjs-node` themselves: `node --import @rcnn/tfjs-tensorflow/register app.js`
 * loads it on the TensorFlow that `setup tensorflow` has installed, so that their own import finds it loaded.
 */
import { loadTensorFlow } from './load.ts';

loadTensorFlow();
