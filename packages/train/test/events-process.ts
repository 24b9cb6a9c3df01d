// Writes events until it is killed: events-process.ts FOLDER FIRST_STEP. Prints each step after it was written.
import { EventWriter } from '@rcnn/train';

const [folder = '', first = '1'] = process.argv.slice(2);
const writer = new EventWriter(folder, { firstStep: Number(first) });
function next(step: number): void {
  writer.scalars(step, { 'loss/total': 1 / step, 'train/learningRate': step });
  process.stdout.write(`${step}\n`);
  setImmediate(() => next(step + 1));
}
next(Number(first));
