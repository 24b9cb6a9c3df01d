import { bringUp, currentBackend, type EngineOptions, restoreBackend } from './bring-up.ts';
import { drivers } from './drivers/index.ts';
import { isNode } from './host.ts';
import { type EngineName, engineNames } from './names.ts';
import { quietly } from './quiet.ts';
import type { EngineAbility } from './self-check.ts';
import { type EngineSpeed, measureSpeed } from './speed.ts';

/** One line of the doctor's table. */
export interface EngineReport {
  readonly name: EngineName;
  readonly ability: EngineAbility | 'missing';
  /** Why it is not `train`. */
  readonly why?: string;
  /** What to do about a missing engine. */
  readonly hint?: string;
  readonly notes: readonly string[];
  readonly version?: string;
  readonly device?: string;
  readonly threads?: number;
  /** A GPU interface without a GPU. */
  readonly software?: boolean;
  readonly speed?: EngineSpeed;
}

/** What to report, and how long to take. */
export interface DescribeOptions extends EngineOptions {
  /** Default: all of them; those of the other world (browser, Node) report themselves missing. */
  readonly names?: readonly EngineName[];
  /** Milliseconds for each speed figure, two per engine; 0 measures nothing. Default 700. */
  readonly budget?: number;
}

/** Brings every engine up in turn, checks and times it. The engine of before is current again at the end. */
export async function describeEngines({
  names = engineNames,
  budget = 700,
  ...options
}: DescribeOptions = {}): Promise<EngineReport[]> {
  const before = currentBackend();
  try {
    const reports: EngineReport[] = [];
    for (const name of names) reports.push(await quietly(() => describeEngine(name, budget, options)));
    return reports;
  } finally {
    await restoreBackend(before);
  }
}

async function describeEngine(name: EngineName, budget: number, options: EngineOptions): Promise<EngineReport> {
  const attempt = await bringUp(name, options);
  if (!attempt.up) {
    return { name, ability: 'missing', why: attempt.why, notes: [], ...(isNode() ? { hint: drivers[name].hint } : {}) };
  }
  const { threads, ...engine } = attempt.engine;
  const measured = budget > 0 && engine.ability !== 'unusable';
  return {
    name,
    ...engine,
    ...(threads === undefined ? {} : { threads }),
    ...(measured ? { speed: await measureSpeed(engine.ability === 'train', budget) } : {}),
  };
}
