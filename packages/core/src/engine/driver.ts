import type { EngineName } from './names.ts';

/** Imports one tfjs backend; what an application in a browser hands over, so that its bundler can see the import. */
export type EngineLoader = () => Promise<unknown>;

/** What a driver is told. */
export interface OpenContext {
  /** As asked for; `undefined` leaves it to the engine. */
  readonly threads: number | undefined;
  /** The application's own way to import the backend, if it gave one. */
  readonly loader: EngineLoader | undefined;
}

/** What a driver knows once its packages are loaded. */
export interface OpenedEngine {
  /** Of the backend and of the library beneath it. */
  readonly version: string;
  /** Where it computes, in words: `CPU`, `NVIDIA H200`, `SwiftShader (software)`. */
  readonly device: string;
  /** How many threads it uses; `undefined` on a GPU. */
  readonly threads: number | undefined;
  /** A GPU interface without a GPU: right, but slow. `auto` passes it by. */
  readonly software?: boolean;
}

/** How one engine is brought up. */
export interface EngineDriver {
  readonly name: EngineName;
  /** The name under which tfjs knows the backend. */
  readonly backend: string;
  /** What to do when it is missing, as a full sentence. */
  readonly hint: string;
  /** The same in a browser, where importing the backend is not all. */
  readonly browserHint?: string;
  /**
   * Loads the packages and registers the backend; does not switch to it.
   * @throws Unavailable when that is impossible
   */
  open(context: OpenContext): Promise<OpenedEngine>;
}
