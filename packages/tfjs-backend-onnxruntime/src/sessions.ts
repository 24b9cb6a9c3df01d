import { OnnxRuntimeBackendError } from './errors.ts';
import { createSession, type NativeSession, type NativeTensor } from './native.ts';
import { encodeModel, type Graph } from './onnx.ts';

/** A graph under the name by which its session is found again. Inputs are `i0, i1, …`, outputs `o0, o1, …`. */
export interface NamedGraph {
  readonly key: string;
  readonly graph: () => Graph;
  /** Arithmetic such as a matrix product; otherwise memory is the limit, and few threads fill it. */
  readonly heavy?: boolean;
}

/** Past this many threads, adding two maps gets no faster: memory is the limit. */
const MEMORY_THREADS = 4;

interface Open {
  readonly session: NativeSession;
  /** When it last ran, in runs of all sessions. */
  lastRun: number;
}

/**
 * One native session per kind of work, whatever the shapes. Sessions own threads, so they are few:
 * beyond `limit` the least recently used one is closed.
 */
export class Sessions {
  readonly limit: number;
  private threadCount: number;
  private readonly open = new Map<string, Open>();
  private runs = 0;

  constructor(threads: number, limit: number) {
    this.threadCount = threads;
    this.limit = limit;
  }

  get size(): number {
    return this.open.size;
  }

  get threads(): number {
    return this.threadCount;
  }

  /** Sessions cannot change their threads, so they are opened anew at their next use. */
  set threads(threads: number) {
    if (threads !== this.threadCount) this.clear();
    this.threadCount = threads;
  }

  /** Runs the graph; `outputs` are written in place. */
  run(named: NamedGraph, inputs: readonly NativeTensor[], outputs: readonly NativeTensor[]): void {
    try {
      this.session(named).run(name('i', inputs), name('o', outputs));
    } catch (cause) {
      const shapes = inputs.map(({ dims, type }) => `${type}[${dims.join()}]`).join(', ');
      throw new OnnxRuntimeBackendError('GRAPH_FAILED', `${named.key} of ${shapes}: ${String(cause)}`, { cause });
    }
  }

  clear(): void {
    for (const { session } of this.open.values()) session.dispose();
    this.open.clear();
  }

  private session({ key, graph, heavy = false }: NamedGraph): NativeSession {
    const known = this.open.get(key);
    if (known) {
      known.lastRun = ++this.runs;
      return known.session;
    }
    const session = createSession(encodeModel(graph()), heavy ? this.threads : Math.min(this.threads, MEMORY_THREADS));
    this.open.set(key, { session, lastRun: ++this.runs });
    if (this.open.size > this.limit) this.closeOldest();
    return session;
  }

  private closeOldest(): void {
    const [key, { session }] = [...this.open].reduce((oldest, entry) =>
      entry[1].lastRun < oldest[1].lastRun ? entry : oldest,
    );
    session.dispose();
    this.open.delete(key);
  }
}

function name(prefix: string, tensors: readonly NativeTensor[]): Record<string, NativeTensor> {
  const named: Record<string, NativeTensor> = {};
  for (let i = 0; i < tensors.length; i++) named[prefix + i] = tensors[i]!;
  return named;
}
