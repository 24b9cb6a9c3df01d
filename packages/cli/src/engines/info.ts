import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, homedir, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { type EngineReport, engineNames } from '@rcnn/core';
import { examine } from './examine.ts';

/** What `mask-rcnn info` prints. Holds no name of a user, host or folder. */
export interface Info {
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string>>;
  /** The variables that change what the program does. */
  readonly environment: Readonly<Record<string, string>>;
  readonly engines: readonly EngineReport[];
}

const PACKAGES = [
  '@rcnn/core',
  '@rcnn/tfjs-backend-onnxruntime',
  '@rcnn/tfjs-tensorflow',
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-node-gpu',
  '@tensorflow/tfjs-backend-webgpu',
  `@rcnn/onnxruntime-${process.platform}-${process.arch}`,
  'webgpu',
  'sharp',
  '@napi-rs/canvas',
];

const VARIABLES = [
  /^RCNN_/,
  /^TF_(NUM|ENABLE|XLA|FORCE|GPU)/,
  /^(OMP|MKL)_NUM_THREADS$/,
  /^CUDA_VISIBLE_DEVICES$/,
  /^VK_(ICD_FILENAMES|DRIVER_FILES)$/,
  /^NODE_OPTIONS$/,
];

export async function collectInfo(): Promise<Info> {
  const engines: EngineReport[] = [];
  for (const name of engineNames) engines.push(await examine(name, 0));
  return { versions: versions(), machine: machine(), environment: environment(), engines };
}

export function infoText({ versions, machine, environment, engines }: Info): string {
  const facts = engines.map(({ name, ability, version, device, why }): [string, string] => [
    name,
    [ability, version, device, why].filter(Boolean).join(', '),
  ]);
  return [
    section('Versions', Object.entries(versions)),
    section('Machine', Object.entries(machine)),
    section('Environment', Object.entries(environment)),
    section('Engines', facts),
  ].join('\n');
}

function versions(): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const found: Record<string, string> = { node: process.versions.node, '@rcnn/cli': own.version };
  for (const name of PACKAGES) found[name] = packageVersion(name) ?? 'not installed';
  return found;
}

/** As this program sees it, as the packages do that it stands on, or as the current folder does. */
function packageVersion(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  const own = ['@rcnn/core', '@rcnn/tfjs-backend-onnxruntime', '@rcnn/tfjs-tensorflow'];
  for (const from of [import.meta.url, ...own.map((owner) => require.resolve(owner)), `${process.cwd()}/`]) {
    const version = versionFrom(createRequire(from), name);
    if (version !== undefined) return version;
  }
  return undefined;
}

/** Reads the package.json itself: some packages do not export it. */
function versionFrom(require: NodeJS.Require, name: string): string | undefined {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version?: string }).version;
    } catch {
      // not in this one
    }
  }
  return undefined;
}

function machine(): Record<string, string> {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return {
    system: `${process.platform} ${process.arch}, ${release()}`,
    glibc: header?.glibcVersionRuntime ?? 'none',
    processor: cpus()[0]?.model ?? 'unknown',
    threads: String(availableParallelism()),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
  };
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && VARIABLES.some((pattern) => pattern.test(name))
        ? [[name, value.replaceAll(homedir(), '~')]]
        : [],
    ),
  );
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  return `${title}\n${lines.join('\n') || '  nothing set'}\n`;
}
