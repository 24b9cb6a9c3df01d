import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EngineReport, engineNames } from '@rcnn/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { examine } from '../src/engines/examine.ts';
import { automatic, engineTable } from '../src/engines/table.ts';

const BIN = fileURLToPath(new URL('../bin/mask-rcnn.js', import.meta.url));

interface Call {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function call(args: readonly string[], cwd: string = process.cwd()): Promise<Call> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mask-rcnn-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('mask-rcnn doctor', () => {
  test('reports every engine, wherever it is started', async () => {
    const { code, stdout } = await call(['doctor', '--quick', '--json'], emptyFolder());
    const reports = JSON.parse(stdout) as EngineReport[];
    expect(code).toBe(0);
    expect(reports.map(({ name }) => name)).toEqual(engineNames);
    for (const name of ['onnxruntime', 'cpu']) {
      expect(reports.find((report) => report.name === name)).toMatchObject({ ability: 'train' });
    }
  });

  test('measures the one that is named', async () => {
    const { code, stdout } = await call(['doctor', '--engine', 'onnxruntime']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^onnxruntime +train +CPU +\d+ +[\d.]+ +[\d.]+ /m);
  });

  test('fails when the engine that is named is missing, and says what to do', async () => {
    const { code, stdout } = await call(['doctor', '--quick', '--engine', 'webgl']);
    expect(code).toBe(1);
    expect(stdout).toContain('Node has no WebGL. It needs a browser; in Node use onnxruntime');
  });

  test('knows no other engines', async () => {
    const { code, stderr } = await call(['doctor', '--engine', 'cuda']);
    expect(code).toBe(2);
    expect(stderr).toContain("found 'cuda', expected tensorflow, onnxruntime, webgpu, webgl, wasm, cpu");
  });
});

describe('mask-rcnn info', () => {
  test('prints versions, machine and engines, and names nobody', async () => {
    const { code, stdout } = await call(['info', '--json']);
    const { versions, machine, engines } = JSON.parse(stdout) as Record<string, Record<string, string>>;
    expect(code).toBe(0);
    expect(versions).toMatchObject({ node: process.versions.node, '@tensorflow/tfjs-core': '4.22.0' });
    expect(versions![`@rcnn/onnxruntime-${process.platform}-${process.arch}`]).toMatch(/^\d+\.\d+\.\d+$/);
    expect(Number(machine!['threads'])).toBeGreaterThan(0);
    expect(engines).toHaveLength(engineNames.length);
    expect(stdout).not.toContain(homedir());
    expect(stdout).not.toContain(hostname());
  });
});

describe('mask-rcnn setup', () => {
  test('says what to install first', async () => {
    const { code, stderr } = await call(['setup', 'tensorflow', '--dir', 'somewhere'], emptyFolder());
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error SETUP_FAILED: .*not installed here.*npm install --ignore-scripts/);
  });

  test('sets up TensorFlow only', async () => {
    expect((await call(['setup', 'webgpu'])).code).toBe(2);
  });
});

describe('an engine that takes its process down', () => {
  /** Milliseconds that a busy machine does not need to start and end a process. */
  const PATIENT = 600_000;

  async function examineWith(source: string, patience: number): Promise<EngineReport> {
    const script = join(emptyFolder(), 'probe.mjs');
    writeFileSync(script, source);
    return examine('tensorflow', 0, { script, patience });
  }

  test('is reported, with the signal', async () => {
    const report = await examineWith("process.kill(process.pid, 'SIGILL'); setTimeout(() => {}, 1000);", PATIENT);
    expect(report).toMatchObject({ ability: 'unusable', why: 'its process ended with signal SIGILL' });
  });

  test('is reported, with its last error', async () => {
    const report = await examineWith("throw new Error('libcudart.so.12: cannot open shared object file');", PATIENT);
    expect(report.why).toBe(
      'its process ended with exit code 1: Error: libcudart.so.12: cannot open shared object file',
    );
  });

  test('is not waited for', async () => {
    const report = await examineWith('setInterval(() => {}, 1000);', 300);
    expect(report).toMatchObject({ ability: 'unusable', why: 'its process ended with signal SIGKILL' });
  });
});

describe('the table', () => {
  const reports: EngineReport[] = [
    { name: 'tensorflow', ability: 'missing', why: 'not set up', hint: 'Set it up.', notes: [] },
    {
      name: 'onnxruntime',
      ability: 'train',
      notes: [],
      device: 'CPU',
      threads: 2,
      version: '1',
      speed: { forward: 123.4, gradients: 0.0234 },
    },
    { name: 'webgpu', ability: 'train', notes: ['odd'], device: 'llvmpipe (software)', software: true },
    { name: 'wasm', ability: 'predict', why: 'no gradients', notes: [] },
  ];

  test('lines up, and says below what is to be said', () => {
    expect(engineTable(reports).split('\n')).toEqual([
      'engine       can      device               threads  forward  gradients  version',
      'tensorflow   missing',
      'onnxruntime  train    CPU                  2        123      0.023      1',
      'webgpu       train    llvmpipe (software)',
      'wasm         predict',
      '',
      'tensorflow:  not set up. Set it up.',
      'webgpu:      note: odd.',
      "             note: no GPU behind it, so 'auto' passes it by.",
      'wasm:        no gradients.',
    ]);
  });

  test('knows what auto would take', () => {
    expect(automatic(reports, 'train')).toBe('onnxruntime');
    expect(automatic(reports.slice(2), 'train')).toBeUndefined();
    expect(automatic(reports.slice(2), 'predict')).toBe('wasm');
  });
});
