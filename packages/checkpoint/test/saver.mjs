// A child of atomic-write.test.ts: saves one checkpoint and another by turns, until it is killed. Plain JavaScript over
// the built package, because it has to start quickly.
import { saveCheckpoint } from '../dist/node/index.js';
import { memoryEntry } from '../dist/tensor-source.js';

const [path] = process.argv.slice(2);
const weights = [memoryEntry('a', 'float32', [1_000_000], new Float32Array(1_000_000))];
for (let epoch = 1; ; epoch = 3 - epoch) {
  await saveCheckpoint(path, { weights, info: { epoch } });
  process.send('saved');
}
