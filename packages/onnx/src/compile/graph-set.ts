import { isRcnnError, type ModelOpener, type ModelSession, RcnnError, type SessionTensor } from '@rcnn/core';
import type { WriteGraph } from './write-graphs.ts';

/** A graph with one result or several, by name. */
export interface GraphPlan {
  readonly write: WriteGraph;
  readonly outputs: readonly string[];
}

/** Asks a graph: tensors in, tensors out, in the order of its plan's outputs. */
export type AskGraph = (inputs: Readonly<Record<string, SessionTensor>>) => Promise<readonly SessionTensor[]>;

/**
 * The graphs of a model, planned first and opened together. Whoever plans one gets the function that will ask it.
 */
export class GraphSet {
  readonly #plans = new Map<string, GraphPlan>();
  readonly #sessions = new Map<string, ModelSession>();

  plan(name: string, plan: GraphPlan): AskGraph {
    this.#plans.set(name, plan);
    return async (inputs) => {
      const found = await this.#sessions.get(name)!.run(inputs, plan.outputs);
      return plan.outputs.map((output) => found[output]!);
    };
  }

  get graphs(): Readonly<Record<string, WriteGraph>> {
    return Object.fromEntries([...this.#plans].map(([name, { write }]) => [name, write]));
  }

  /** @throws ENGINE_CANNOT_COMPILE where the graph is refused; what is an RcnnError already */
  async open(name: string, bytes: Uint8Array, open: ModelOpener): Promise<void> {
    try {
      this.#sessions.set(name, await open(bytes));
    } catch (cause) {
      if (isRcnnError(cause)) throw cause;
      const found = cause instanceof Error ? cause.message : String(cause);
      throw new RcnnError('ENGINE_CANNOT_COMPILE', {
        where: 'compile',
        place: `graph '${name}'`,
        problem: 'what runs whole models refuses it',
        found,
        cause,
      });
    }
  }

  dispose(): void {
    for (const session of this.#sessions.values()) session.dispose();
    this.#sessions.clear();
  }
}

/** The numbers of a result that is float32. */
export function floatsOf({ data }: SessionTensor): Float32Array {
  return data as Float32Array;
}
