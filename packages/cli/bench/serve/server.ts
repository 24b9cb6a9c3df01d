/** The command `serve` as a process of its own, on a small model made for the occasion. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stateDict } from '@rcnn/checkpoint';
import { saveCheckpoint } from '@rcnn/checkpoint/node';
import { Random, useEngine } from '@rcnn/core';
import { architectures, findArchitecture, profileOf } from '@rcnn/models';

/** Saves a small Mask R-CNN of random weights: what it finds means nothing, how long it looks does. */
export async function saveSmallModel(file: string): Promise<void> {
  await useEngine('onnxruntime');
  const small = findArchitecture(architectures, 'maskrcnn_small');
  const options = { minSize: 128, maxSize: 192 };
  const model = small.build({ numClasses: 3, options, random: new Random(1) });
  const classes = ['circle', 'square'].map((name, i) => ({ label: i + 1, categoryId: i + 1, name }));
  const profile = profileOf(small, model, options, { source: 'bench -- serve', classes });
  await saveCheckpoint(file, { weights: (await stateDict(model)).values(), profile });
  model.dispose();
}

export interface Served {
  readonly child: ChildProcess;
  readonly address: string;
}

/** Starts the server and waits until it listens. @throws when it ends before */
export function startServer(weights: string, port: number, queue: number): Promise<Served> {
  const program = fileURLToPath(new URL('../../bin/mask-rcnn.js', import.meta.url));
  const args = [program, 'serve', '--weights', weights, '--port', String(port), '--queue', String(queue)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const address = /^listening on (\S+);/.exec(line)?.[1];
      if (address !== undefined) resolve({ child, address });
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

/** Bytes of memory that the server has, as its metrics say. */
export async function memoryOf({ address }: Served): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)![1]);
}
