import {
  type Detection,
  type DetectOptions,
  type Detector,
  type DetectorSpec,
  engineModels,
  type ImageInput,
  isRcnnError,
  type Losses,
  type LossOptions,
  type ModelOpener,
  modelsAreQuicker,
  type Parameter,
  RcnnError,
  type Target,
  whyNoModels,
} from '@rcnn/core';
import { CompiledModel } from './compile/compiled-model.ts';
import { Lent } from './compile/lent.ts';
import { compilableParts } from './compile/parts.ts';
import type { Precision } from './graph/precision.ts';

export interface CompileOptions {
  /**
   * What runs the graphs. Default the engine in use, if it runs whole models: `onnxruntime` in Node, and in a browser
   * those that `useEngine` was given `models` for.
   */
  readonly open?: ModelOpener | undefined;
  /** How filters and matrices are stored in the graphs; arithmetic is float32 always. Default float32. */
  readonly weights?: Precision | undefined;
  /** Whether a model or engine that cannot be compiled for predicts as it is, instead of throwing. Default false. */
  readonly ifPossible?: boolean | undefined;
}

/**
 * Makes a two-stage detector predict by whole graphs with constant, folded weights: images to pyramid and RPN outputs,
 * one head after the other. Proposals, suppression, RoIAlign and pasting stay as they are, and so do all options of the
 * model. Batches and images of any size.
 *
 * The result is a detector like the model, which it takes over: it reports the model's parameters and losses, and
 * disposes it. When parameters have changed it compiles anew with the next images.
 *
 * ```ts
 * const detector = compile(model);
 * const [found] = await detector.detect([image]);
 * ```
 * @throws ENGINE_CANNOT_COMPILE; EXPORT_UNSUPPORTED naming the part that cannot be compiled; both here or by `detect`
 */
export function compile<D extends Detection>(model: Detector<D>, options: CompileOptions = {}): CompiledDetector<D> {
  return new CompiledDetector(model, options);
}

/** When to compile: `auto` is where model and engine allow it and it is quicker. */
export type CompileChoice = 'auto' | 'on' | 'off';

/**
 * {@link compile} by a choice; with `off` the model itself, and with `auto` too where the engine in use is quicker without.
 * What is given by `open` or `weights` is taken as asked for.
 */
export function compileAs<D extends Detection>(
  model: Detector<D>,
  choice: CompileChoice = 'auto',
  options: Omit<CompileOptions, 'ifPossible'> = {},
): Detector<D> {
  const isAsked = choice === 'on' || options.open !== undefined || options.weights !== undefined;
  if (choice === 'off' || !(isAsked || isQuicker(model))) return model;
  return compile(model, { ...options, ifPossible: choice === 'auto' });
}

/** By the maps between body and heads, whose width most convolutions of a detector have. */
function isQuicker(model: Detector): boolean {
  try {
    const { outputs } = compilableParts(model).backbone;
    return modelsAreQuicker(Math.min(...outputs.map(({ channels }) => channels)));
  } catch (error) {
    if (isRcnnError(error, 'EXPORT_UNSUPPORTED')) return false;
    throw error;
  }
}

/** What {@link compile} gives. */
export class CompiledDetector<D extends Detection = Detection> implements Detector<D> {
  readonly spec: DetectorSpec;
  /** What was compiled. */
  readonly model: Detector<D>;
  readonly #open: ModelOpener | undefined;
  readonly #weights: Precision;
  readonly #ifPossible: boolean;
  #possible: boolean;
  #disposed = false;
  #current: { readonly from: readonly object[]; readonly compiled: Promise<Lent<CompiledModel>> } | undefined;

  constructor(model: Detector<D>, { open = engineModels(), weights = 'float32', ifPossible = false }: CompileOptions) {
    this.model = model;
    this.spec = model.spec;
    this.#open = open;
    this.#weights = weights;
    this.#ifPossible = ifPossible;
    if (open === undefined && !ifPossible) throw cannotRun();
    this.#possible = open !== undefined && this.#tried(() => compilableParts(model)) !== undefined;
  }

  /** Whether images are answered by graphs; false once it turned out, with `ifPossible`, that they cannot be. */
  get isCompiled(): boolean {
    return this.#possible;
  }

  async detect(images: readonly ImageInput[], options: DetectOptions = {}): Promise<D[][]> {
    const compiled = await this.#lend();
    if (compiled === undefined) return this.model.detect(images, options);
    try {
      return (await compiled.value.detect(images, options)) as D[][];
    } finally {
      compiled.giveBack();
    }
  }

  losses(images: readonly ImageInput[], targets: readonly Target[], options?: LossOptions): Promise<Losses> {
    return this.model.losses(images, targets, options);
  }

  namedParameters(prefix?: string): Map<string, Parameter> {
    return this.model.namedParameters(prefix);
  }

  /** Frees the graphs; the model stays. Further images are answered by graphs that are made anew. */
  release(): void {
    const { compiled } = this.#current ?? {};
    this.#current = undefined;
    compiled?.then(
      (lent) => lent.retire(),
      () => {}, // whoever asked for it was told
    );
  }

  /** Frees the graphs and the model. Calls that are under way end. Twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.release();
    this.model.dispose();
  }

  /** The graphs of the model as it is now; undefined where it cannot be compiled. Give them back. */
  async #lend(): Promise<Lent<CompiledModel> | undefined> {
    if (this.#disposed) throw disposed();
    if (!this.#possible) return undefined;
    const from = [...this.model.namedParameters().values()].map(({ value }) => value.dataId);
    const isCurrent = this.#current?.from.every((id, i) => id === from[i]) ?? false;
    if (!isCurrent) {
      this.release();
      this.#current = { from, compiled: this.#compile() };
    }
    const current = this.#current!;
    try {
      const lent = await current.compiled;
      if (this.#disposed) throw disposed();
      return lent.lend();
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      if (this.#disposed || !this.#isPassed(error)) throw error;
      this.#possible = false;
      return undefined;
    }
  }

  async #compile(): Promise<Lent<CompiledModel>> {
    const { model } = this;
    const compiled = await CompiledModel.of(model, compilableParts(model), this.#open!, this.#weights);
    return new Lent(compiled);
  }

  #tried<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (this.#isPassed(error)) return undefined;
      throw error;
    }
  }

  #isPassed(error: unknown): boolean {
    return this.#ifPossible && PASSED.some((code) => isRcnnError(error, code));
  }
}

/** No graph can say a part of the model, or what runs graphs refuses one. */
const PASSED = ['EXPORT_UNSUPPORTED', 'ENGINE_CANNOT_COMPILE'] as const;

function cannotRun(): RcnnError {
  const why = whyNoModels();
  return new RcnnError('ENGINE_CANNOT_COMPILE', {
    where: 'compile',
    problem: 'the engine in use does not run whole models',
    ...(why !== undefined && { found: why }),
    hint:
      "Take the engine onnxruntime, e.g. by useEngine('onnxruntime'); in a browser give useEngine 'models'; or say by " +
      "'open' what runs them.",
  });
}

function disposed(): RcnnError {
  return new RcnnError('DISPOSED', {
    where: 'CompiledDetector.detect',
    problem: 'the model was disposed, or is being disposed while a call of it still runs',
    hint: 'Dispose a model when its last call has ended, and make a new one for further calls.',
  });
}
