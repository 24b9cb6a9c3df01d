import type { OpenedEngine } from './driver.ts';
import type { EngineName } from './names.ts';
import { firstLine } from './unavailable.ts';
import { type ModelOpener, setModelsBeside } from './whole-models.ts';

/** What the loader of whole models is told. */
export interface ModelsContext {
  /** The engine that was opened. */
  readonly engine: OpenedEngine & { readonly name: EngineName };
  /** As asked for; undefined leaves it to the loader. */
  readonly threads: number | undefined;
}

/**
 * How an application brings what runs whole models beside an engine that cannot itself. It gives undefined where that
 * engine is better left alone.
 */
export type ModelsLoader = (context: ModelsContext) => Promise<ModelOpener | undefined> | ModelOpener | undefined;

/** What an engine knows of the `models` beside it. */
export interface BesideEngine {
  /** What runs whole models, in words; undefined where nothing was given, or where it is not used. */
  readonly models?: string | undefined;
  /** Why the `models` that were given are not used; undefined where they are. */
  readonly whyNoModels?: string | undefined;
}

/**
 * Loads what runs whole models beside an engine, tries it, and makes it what `engineModels` answers as long as that
 * engine is current. What cannot be used is no error: the engine computes without it, and says why.
 */
export async function openBeside(
  backend: string,
  context: ModelsContext,
  loader: ModelsLoader | undefined,
): Promise<BesideEngine> {
  setModelsBeside(undefined);
  if (loader === undefined) return {};
  try {
    const open = await loader(context);
    if (open === undefined) return {};
    await tryModel(open);
    setModelsBeside({ backend, open });
    return { models: open.device ?? 'whole models' };
  } catch (error) {
    const why = firstLine(error);
    setModelsBeside({ backend, why });
    return { whyNoModels: why };
  }
}

/** An ONNX model of one product: `y = x x`, for `x` of 2 by 2. */
const SQUARE =
  'CAgSCW1hc2stcmNubjIAOnMKIgoBeAoBeBIITWF0TXVsXzAaCE1hdE11bF8wIgZNYXRNdWwKGgoITWF0TXVsXzASAXkaAXkiCElkZW50aXR5' +
  'EgVjaGVja1IAWhMKAXgSDgoMCAESCAoCCAIKAggCYhMKAXkSDgoMCAESCAoCCAIKAggCQgQKABAR';

/** @throws what opening and running throw; Error where the answer is wrong */
async function tryModel(open: ModelOpener): Promise<void> {
  const session = await open(Uint8Array.from(atob(SQUARE), (letter) => letter.charCodeAt(0)));
  try {
    const { y } = await session.run({ x: { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] } }, ['y']);
    const found = Array.from(y?.data ?? [], Number).join();
    if (found !== '7,10,15,22') throw new Error(`it computes wrongly: found ${found}, expected 7,10,15,22`);
  } finally {
    session.dispose();
  }
}
