import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { failure } from './failures.ts';
import type { TfjsNodePackage } from './tfjs-node.ts';

/** TensorFlow takes a second or two to load; on a busy disk, a minute. */
const PATIENCE = 180_000; // milliseconds

/**
 * Loads a binding in a process of its own and computes with it.
 * @returns whether it computes on a GPU
 * @throws RcnnError SETUP_FAILED with what the process said last
 */
export async function checkLoads({ folder }: TfjsNodePackage, binding: string): Promise<{ gpu: boolean }> {
  const script = fileURLToPath(new URL('./load-check.js', import.meta.url));
  const child = spawn(process.execPath, [script, folder, binding], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `ended by ${signal ?? `exit code ${code}`}`));
  });
  if (end === '') return JSON.parse(output.stdout.trim().split('\n').at(-1)!) as { gpu: boolean };
  throw failure('SETUP_FAILED', {
    place: binding,
    problem: 'the compiled binding does not load',
    found: [end, lastError(output.stderr)].filter(Boolean).join(': '),
    hint: end.includes('SIGILL')
      ? 'TensorFlow needs a processor with AVX. The onnxruntime engine runs here.'
      : 'Please report this with the output of: mask-rcnn info.',
  });
}

function lastError(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  return (
    lines.find((line) => /^(\w*Error)\b|error while loading|cannot open shared/i.test(line)) ??
    lines.find(Boolean) ??
    ''
  );
}
