import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineName, EngineReport } from '@rcnn/core';

/** How long one engine may take before it counts as stuck. */
const PATIENCE = 90_000; // milliseconds

/** Examines one engine in a process of its own; one that crashes or hangs is reported as unusable. */
export async function examine(name: EngineName, budget: number, patience: number = PATIENCE): Promise<EngineReport> {
  const script = fileURLToPath(new URL('./probe.js', import.meta.url));
  const child = spawn(process.execPath, [script, name, String(budget)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patience,
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
  const last =
    output.stderr
      .trim()
      .split('\n')
      .find((text) => text.includes('Error')) ?? '';
  return { name, ability: 'unusable', why: `its process ended with ${end}${last && `: ${last.trim()}`}`, notes: [] };
}
