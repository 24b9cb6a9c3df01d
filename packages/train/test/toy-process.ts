// A training as a process of its own, for tests that kill it: toy-process.ts FOLDER STEPS.
import { trainToy } from './toy-training.ts';

const [folder = '', steps = '10'] = process.argv.slice(2);
await trainToy(folder, Number(steps), (step) => void process.stdout.write(`${step}\n`));
