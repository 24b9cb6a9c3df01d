import '@rcnn/tfjs-backend-onnxruntime';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

await tf.setBackend('onnxruntime');
const model = tfl.sequential({
  layers: [
    tfl.layers.conv2d({ inputShape: [32, 32, 3], filters: 16, kernelSize: 3, strides: 2, activation: 'relu' }),
    tfl.layers.maxPooling2d({ poolSize: 2 }),
    tfl.layers.conv2d({ filters: 32, kernelSize: 3, activation: 'relu' }),
    tfl.layers.globalAveragePooling2d({}),
    tfl.layers.dense({ units: 2, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

const dark = tf.randomUniform([64, 32, 32, 3], 0, 0.6, 'float32', 1); // tell dark images from bright ones
const bright = tf.randomUniform([64, 32, 32, 3], 0.4, 1, 'float32', 2);
const labels = tf.oneHot(tf.concat([tf.zeros([64], 'int32'), tf.ones([64], 'int32')]), 2);
const { history } = await model.fit(tf.concat([dark, bright]), labels, { epochs: 6 });
console.log('accuracy', history['acc']);
