/** `node dist/add.js photo…`: queues photographs. */
import { resolve } from 'node:path';
import { addPhoto, connectionOf, openQueue } from './queue.ts';

const queue = openQueue(connectionOf());
for (const photo of process.argv.slice(2)) console.log(await addPhoto(queue, resolve(photo)), photo);
await queue.close();
