// A model of random weights, pictures and their list, so that the trial needs nothing from outside: `node inputs.mjs FOLDER`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawPhotographs, saveModel } from '../queue/dist/photographs.js';

const [folder] = process.argv.slice(2);
await saveModel(join(folder, 'model.safetensors'));
const photographs = await drawPhotographs(folder, 40);
writeFileSync(join(folder, 'list.txt'), `${photographs.join('\n')}\n`);
