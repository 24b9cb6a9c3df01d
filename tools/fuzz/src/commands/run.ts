import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '@rcnn/cli';
import { isRcnnError } from '@rcnn/core/errors';
import { load } from 'mask-rcnn';
import { patchesArchitecture } from '../../../../packages/cli/test/support/patches-architecture.ts';
import { tinyMaskRcnn } from '../../../../packages/train/test/tiny-architecture.ts';

export interface Ended {
  readonly code: number;
  /** What was written to stdout and stderr. */
  readonly text: string;
}

/** What the program knows beside its own: a detector of one weight, and one with all parts. */
const architectures = [patchesArchitecture, tinyMaskRcnn];

/**
 * Runs the program in this process. `load FILE PICTURE…` is the library's own; a server that listens is sent every file
 * of `in`, and then ended.
 */
export async function run(args: readonly string[]): Promise<Ended> {
  let text = '';
  let sent: Promise<string> | undefined;
  const { stdout, stderr } = process;
  const real = [stdout.write, stderr.write] as const;
  const write = (part: string | Uint8Array): boolean => {
    text += String(part);
    const [, address] = /^listening on (\S+);/m.exec(String(part)) ?? [];
    if (address !== undefined) sent = sendAll(address, 'in').finally(() => process.emit('SIGTERM', 'SIGTERM'));
    return true;
  };
  [stdout.write, stderr.write] = [write, write] as unknown as typeof real;
  process.exitCode = undefined;
  try {
    const code = args[0] === 'load' ? await loaded(args.slice(1)) : await main(args, { architectures });
    return { code, text: text + ((await sent) ?? '') };
  } finally {
    [stdout.write, stderr.write] = real;
    process.exitCode = undefined;
  }
}

/** As the program ends: errors in a line. */
async function loaded([weights, ...pictures]: readonly string[]): Promise<number> {
  try {
    const detector = await load(weights!, { architectures, engine: 'onnxruntime', offline: true });
    try {
      for (const picture of pictures) await detector(picture);
    } finally {
      detector.dispose();
    }
    return 0;
  } catch (error) {
    if (!isRcnnError(error)) process.stderr.write(`error: ${error}. This is not an error we expected\n`);
    else process.stderr.write(`error ${error.code}: ${error.message}\n`);
    return 1;
  }
}

const TYPES = ['image/png', 'application/json', 'multipart/form-data; boundary=x', 'text/plain'];
const ROUTES = ['/v1/detect', '/v1/detect?format=rle', '/label-studio/predict', '/'];

/** Every file of a folder to every route, as each kind. @returns what was answered wrongly */
async function sendAll(address: string, folder: string): Promise<string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const wrong: string[] = [];
  for (const file of files.filter((name) => lstatSync(name).isFile())) {
    const body = new Uint8Array(readFileSync(file));
    for (const route of ROUTES) {
      for (const type of TYPES) {
        const answer = await fetch(address + route, { method: 'POST', headers: { 'content-type': type }, body });
        const said = await answer.text();
        if (answer.status >= 500)
          wrong.push(`\n${type} to ${route}: ${answer.status}, not an error we expected: ${said}`);
      }
    }
  }
  return wrong.join('');
}
