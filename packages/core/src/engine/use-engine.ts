import { RcnnError } from '../errors.ts';
import {
  type BringUp,
  bringUp,
  chosenThreads,
  currentBackend,
  type EngineOptions,
  restoreBackend,
} from './bring-up.ts';
import type { OpenedEngine } from './driver.ts';
import { drivers } from './drivers/index.ts';
import { environment, isNode, mayHaveGpu } from './host.ts';
import { type BesideEngine, type ModelsLoader, openBeside } from './models-beside.ts';
import { browserOrder, type EngineName, type EngineTask, engineNames, isEngineName, nodeOrder } from './names.ts';
import { quietly } from './quiet.ts';
import type { EngineCheck } from './self-check.ts';

/** How to choose; all of it optional. */
export interface UseEngineOptions extends EngineOptions {
  /** What the engine is needed for. Default `predict`. */
  readonly task?: EngineTask;
  /**
   * What runs whole models beside the engine, in a browser `onnxRuntimeWeb` of `@rcnn/onnx`: then `compile` and `load`
   * predict by it. Where it cannot be used, the engine predicts alone and `whyNoModels` says why. Default none; each
   * call of `useEngine` says it anew.
   */
  readonly models?: ModelsLoader | undefined;
}

/** An engine that is up, checked and current. */
export interface ActiveEngine extends OpenedEngine, EngineCheck, BesideEngine {
  readonly name: EngineName;
  /** With `auto`: the engines that come before this one, and why each was passed by. */
  readonly passedBy: readonly { readonly name: EngineName; readonly why: string }[];
}

/**
 * Makes one engine the current tfjs backend, after checking that it computes rightly. `auto` takes the first of
 * {@link nodeOrder} (in a browser {@link browserOrder}) that can do the task; the variable `RCNN_ENGINE` stands in for
 * `auto`. A GPU interface without a GPU is used only when asked for by name. When it fails, nothing changes.
 *
 * @throws RcnnError ENGINE_UNKNOWN, ENGINE_MISSING (not installed or not loadable), ENGINE_BROKEN (fails its
 *   self-check), ENGINE_CANNOT_TRAIN (asked for `task: 'train'`); with `auto` only when no engine can do the task
 */
export async function useEngine(
  name: EngineName | 'auto' = 'auto',
  options: UseEngineOptions = {},
): Promise<ActiveEngine> {
  const chosen = name === 'auto' ? (environment('RCNN_ENGINE') ?? 'auto') : name;
  if (chosen === 'auto') return quietly(() => useFirst(options));
  if (!isEngineName(chosen)) throw unknown(chosen, name === 'auto' ? 'the variable RCNN_ENGINE' : 'useEngine');
  return quietly(() => useNamed(chosen, options));
}

async function useNamed(name: EngineName, options: UseEngineOptions): Promise<ActiveEngine> {
  const before = currentBackend();
  const attempt = await bringUp(name, options);
  const failure = failureOf(name, attempt, options.task ?? 'predict');
  if (failure === undefined && attempt.up) return activeEngine(name, attempt.engine, [], options);
  await restoreBackend(before);
  throw failure!;
}

/** What `auto` finds without a try: a software driver would be passed by anyway. */
const NO_GPU: BringUp = { up: false, why: 'this machine shows no GPU', cause: undefined };

async function useFirst(options: UseEngineOptions): Promise<ActiveEngine> {
  const task = options.task ?? 'predict';
  const before = currentBackend();
  const passedBy: { name: EngineName; why: string }[] = [];
  for (const name of isNode() ? nodeOrder : browserOrder) {
    const attempt: BringUp = name === 'webgpu' && !mayHaveGpu() ? NO_GPU : await bringUp(name, options);
    const why = objection(attempt, task);
    if (why === undefined && attempt.up) return activeEngine(name, attempt.engine, passedBy, options);
    passedBy.push({ name, why: why! });
  }
  await restoreBackend(before);
  throw new RcnnError('ENGINE_MISSING', {
    where: 'useEngine',
    place: 'auto',
    problem: `no engine can ${task} here`,
    found: passedBy.map(({ name, why }) => `${name}: ${why}`).join('; '),
    hint: isNode()
      ? 'Install one: npm install @rcnn/tfjs-backend-onnxruntime. `mask-rcnn doctor` shows them all.'
      : 'Import a tfjs backend in your application, or pass loaders.',
  });
}

async function activeEngine(
  name: EngineName,
  engine: OpenedEngine & EngineCheck,
  passedBy: ActiveEngine['passedBy'],
  options: UseEngineOptions,
): Promise<ActiveEngine> {
  const context = { engine: { name, ...engine }, threads: chosenThreads(options) };
  const beside = await openBeside(drivers[name].backend, context, options.models);
  return { name, ...engine, passedBy, ...beside };
}

/** Why `auto` passes an engine by; `undefined` when it takes it. */
function objection(attempt: BringUp, task: EngineTask): string | undefined {
  if (!attempt.up) return attempt.why;
  const { ability, why, software, device } = attempt.engine;
  if (ability === 'unusable') return `it fails its self-check: ${why}`;
  if (task === 'train' && ability !== 'train') return `it cannot train: ${why}`;
  return software === true ? `its only device is ${device}` : undefined;
}

/** The error of asking for an engine by name that cannot do the task; `undefined` when it can. */
function failureOf(name: EngineName, attempt: BringUp, task: EngineTask): RcnnError | undefined {
  if (!attempt.up) return missing(name, attempt.why, attempt.cause);
  const { ability, why } = attempt.engine;
  if (ability === 'unusable') {
    return new RcnnError('ENGINE_BROKEN', {
      where: 'useEngine',
      place: name,
      problem: `the engine fails its self-check: ${why}`,
      hint: 'Take another one; `mask-rcnn doctor` shows which work here.',
    });
  }
  if (task === 'predict' || ability === 'train') return undefined;
  return new RcnnError('ENGINE_CANNOT_TRAIN', {
    where: 'useEngine',
    place: name,
    problem: `the engine predicts but does not train: ${why}`,
    hint: isNode()
      ? "Train on onnxruntime, tensorflow or webgpu, or let 'auto' choose."
      : 'Train on webgpu or webgl, or in Node.',
  });
}

function missing(name: EngineName, why: string, cause: unknown): RcnnError {
  return new RcnnError('ENGINE_MISSING', {
    where: 'useEngine',
    place: name,
    problem: `the engine is not available: ${why}`,
    hint: isNode()
      ? drivers[name].hint
      : (drivers[name].browserHint ??
        `Import its backend first, or pass it: useEngine('${name}', { loaders: { ${name}: () => import('…') } }).`),
    cause,
  });
}

function unknown(found: string, where: string): RcnnError {
  return new RcnnError('ENGINE_UNKNOWN', {
    where,
    problem: 'there is no such engine',
    found: `'${found}'`,
    expected: `auto, ${engineNames.join(', ')}`,
  });
}
