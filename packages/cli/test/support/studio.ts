import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { drawShapes, type Shape } from '@rcnn/coco-data';
import sharp from 'sharp';

const PROGRAM = fileURLToPath(new URL('../../bin/mask-rcnn.js', import.meta.url));

/** A studio that runs as a person starts it. */
export interface RunningStudio {
  readonly process: ChildProcess;
  /** With the token. */
  readonly address: string;
  /** Everything that it wrote to stderr. */
  said(): string;
  /** Settles with its exit code or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

interface StartOptions {
  readonly port?: number;
  /** A model that proposes. */
  readonly weights?: string;
}

/** Starts the program, and waits for the address that it prints. */
export async function startStudio(
  folder: string,
  runs: string,
  { port = 0, weights }: StartOptions = {},
): Promise<RunningStudio> {
  const args = [PROGRAM, 'studio', folder, '--runs', runs, '--port', String(port)];
  if (weights !== undefined) args.push('--weights', weights);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stderr.on('data', (text) => (err += String(text)));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  );
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (text) => {
      out += String(text);
      const [, found] = /^open (\S+)$/m.exec(out) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then((how) => reject(new Error(`the studio ended with ${how}: ${err}`)));
  });
  return { process: child, address, said: () => err, ended };
}

/** A picture that was drawn, and the objects in it that nothing covers. */
export interface Photograph {
  readonly name: string;
  readonly bytes: Buffer;
  readonly size: readonly [height: number, width: number];
  /** Corners as a person would click them, in pixels. */
  readonly objects: readonly { readonly shape: Shape; readonly corners: readonly (readonly [number, number])[] }[];
}

/** Corners of an outline that a person has the patience for. */
const PATIENCE = 12;

export async function photograph(index: number): Promise<Photograph> {
  const size = [120, 160] as const;
  const { image, shapes } = drawShapes(7, index, {
    size,
    objects: [1, 3],
    radius: [0.12, 0.24],
    tiny: 0,
    touching: 0,
    turn: 0.3,
  });
  const raw = { width: size[1], height: size[0], channels: 3 } as const;
  const bytes = await sharp(image.data as Uint8Array, { raw })
    .png()
    .toBuffer();
  const objects = shapes
    .filter(({ covered }) => !covered)
    .map(({ shape, outline }) => {
      const points = Array.from(
        { length: outline.length / 2 },
        (_, i) => [outline[2 * i]!, outline[2 * i + 1]!] as const,
      );
      const every = Math.max(1, Math.ceil(points.length / PATIENCE));
      return { shape, corners: points.filter((_, i) => i % every === 0) };
    });
  return { name: `photo-${index + 1}.png`, bytes, size, objects };
}

/** Waits until something is so. */
export async function until<T>(ask: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
