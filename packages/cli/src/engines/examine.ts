import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineName, EngineReport } from '@rcnn/core';

/** How an engine is examined; tests replace both. */
export interface Examination {
  /** How long one engine may take before it counts as stuck, in milliseconds. */
  readonly patience: number;
  /** What the process runs. */
  readonly script: string;
}

const USUAL: Examination = {
  patience: 90_000,
  script: fileURLToPath(new URL('./probe.js', import.meta.url)),
};

/** Examines one engine in a process of its own; one that crashes or hangs is reported as unusable. */
export async function examine(name: EngineName, budget: number, how: Examination = USUAL): Promise<EngineReport> {
  const child = spawn(process.execPath, [how.script, name, String(budget)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: how.patience,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const line = output.stdout.trim().split('\n').at(-1);
  if (end === 'exit code 0' && line) return JSON.parse(line) as EngineReport;
  const lines = output.stderr.split('\n').map((text) => text.trim());
  const last = lines.find((text) => /^\w*Error\b/.test(text)) ?? '';
  return { name, ability: 'unusable', why: `its process ended with ${end}${last && `: ${last}`}`, notes: [] };
}
