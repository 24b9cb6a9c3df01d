/**
 * A process that a test kills: `node setup-child.mjs <dist> setup <JSON of options>` sets TensorFlow up and prints whether
 * anything changed; `… load …` loads it and convolves.
 */
const [dist, what, json] = process.argv.slice(2);
const { loadTensorFlow, setupTensorFlow } = await import(dist);
const options = JSON.parse(json);
if (what === 'setup') {
  const { changed } = await setupTensorFlow(options);
  process.stdout.write(JSON.stringify({ changed }));
} else {
  const tf = await import('@tensorflow/tfjs-core');
  const { version } = loadTensorFlow(options);
  const y = tf.conv2d(tf.ones([1, 5, 5, 2]), tf.ones([3, 3, 2, 1]), 1, 'valid');
  process.stdout.write(JSON.stringify({ version, sum: tf.sum(y).dataSync()[0] }));
}
