import { cpus, hostname, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

/** What one needs to know about the machine to repeat a run. */
export function describeEnvironment(): Record<string, unknown> {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    host: hostname(),
    engine: tf.getBackend(),
    tfjs: tf.version_core,
    started: new Date().toISOString(),
    command: process.argv.slice(2),
  };
}
