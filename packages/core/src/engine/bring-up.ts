import * as tf from '@tensorflow/tfjs-core';
import { RcnnError } from '../errors.ts';
import type { EngineLoader, OpenedEngine } from './driver.ts';
import { drivers } from './drivers/index.ts';
import { environment } from './host.ts';
import type { EngineName } from './names.ts';
import { type EngineCheck, selfCheck } from './self-check.ts';
import { firstLine, Unavailable } from './unavailable.ts';

/** What every way of opening an engine takes. */
export interface EngineOptions {
  /** Threads for engines on the CPU. Default: the variable `RCNN_THREADS`, else what the engine thinks best. */
  readonly threads?: number;
  /** How a browser application imports its backends: `{ webgl: () => import('@tensorflow/tfjs-backend-webgl') }`. */
  readonly loaders?: Readonly<Partial<Record<EngineName, EngineLoader>>>;
}

/** An engine that is up and current, whatever it can do; or why there is none. */
export type BringUp =
  | { readonly up: true; readonly engine: OpenedEngine & EngineCheck }
  | { readonly up: false; readonly why: string; readonly cause: unknown };

/** Self-checks are done once per backend and process. */
const checks = new Map<string, Promise<EngineCheck>>();

/** Loads one engine, makes it current and checks it. On failure the engine of before is current again. */
export async function bringUp(name: EngineName, options: EngineOptions): Promise<BringUp> {
  const threads = chosenThreads(options);
  const before = currentBackend();
  try {
    const opened = await drivers[name].open({ threads, loader: options.loaders?.[name] });
    await switchTo(drivers[name].backend);
    return { up: true, engine: { ...opened, ...(await checkOnce(drivers[name].backend)) } };
  } catch (error) {
    await restoreBackend(before);
    const cause = error instanceof Unavailable ? error.cause : error;
    return { up: false, why: firstLine(error), cause };
  }
}

/** The backend that is current now, if one has been chosen. */
export function currentBackend(): string | undefined {
  return tf.engine().backendName || undefined;
}

/** Goes back to a backend that worked before. */
export async function restoreBackend(name: string | undefined): Promise<void> {
  if (name !== undefined && name !== currentBackend()) await tf.setBackend(name);
}

/** The threads that the options and the environment ask for. */
export function chosenThreads({ threads }: EngineOptions): number | undefined {
  const asked = threads ?? environment('RCNN_THREADS');
  if (asked === undefined) return undefined;
  const count = Number(asked);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: threads === undefined ? 'the variable RCNN_THREADS' : 'useEngine',
    place: 'threads',
    problem: 'not a number of threads',
    found: String(asked),
    expected: 'a whole number from 1',
  });
}

async function switchTo(backend: string): Promise<void> {
  if (await tf.setBackend(backend)) return tf.ready();
  await tf.findBackendFactory(backend)?.(); // setBackend swallows the reason; this throws it again
  throw new Unavailable('the backend does not start');
}

function checkOnce(backend: string): Promise<EngineCheck> {
  const known = checks.get(backend);
  if (known !== undefined) return known;
  const check = selfCheck();
  checks.set(backend, check);
  return check;
}
