import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter, type ZipWriterAddDataOptions } from '@zip.js/zip.js';

/** A file of a made-up wheel. */
export interface WheelFile {
  readonly name: string;
  readonly data: string | Uint8Array;
  /** What RECORD says instead of the truth; `null` leaves the file out of it. */
  readonly record?: string | null;
  readonly options?: ZipWriterAddDataOptions;
}

export interface WheelChoices {
  readonly distribution?: string;
  readonly version?: string;
  readonly tag?: string;
  /** Replace or add files by name; `undefined` takes one away. */
  readonly files?: Readonly<Record<string, WheelFile['data'] | Omit<WheelFile, 'name'> | undefined>>;
}

/** Stands for libtensorflow_cc.so.2: large enough to be written in several pieces. */
export const LIBRARY: Uint8Array = noise(300_000);
export const FRAMEWORK: Uint8Array = noise(70_000);

/** The headers that the made-up binding reaches, and one that it does not. */
const headers: Record<string, string> = {
  'tensorflow/include/tensorflow/c/c_api.h': '#include <stddef.h>\n#include "tensorflow/c/tf_status.h"\n',
  'tensorflow/include/tensorflow/c/tf_status.h': '#ifdef NEVER\n#  include "beside.h"\n#endif\n',
  'tensorflow/include/tensorflow/c/beside.h': '#include "tensorflow/c/c_api.h"\n#include "../../../../escape.h"\n',
  'tensorflow/include/tensorflow/c/eager/c_api.h': '// nothing\n',
  'tensorflow/include/unreached.h': '// nothing\n',
};

/** Writes a small wheel that is laid out like TensorFlow's. */
export async function writeWheel(path: string, choices: WheelChoices = {}): Promise<void> {
  writeFileSync(path, await makeWheel(choices));
}

export async function makeWheel({
  distribution = 'tensorflow_cpu',
  version = '2.21.0',
  tag = 'cp311-cp311-manylinux_2_27_x86_64',
  files = {},
}: WheelChoices = {}): Promise<Uint8Array> {
  const info = `${distribution}-${version}.dist-info`;
  const wanted: NonNullable<WheelChoices['files']> = {
    ...headers,
    'tensorflow/libtensorflow_cc.so.2': LIBRARY,
    'tensorflow/libtensorflow_framework.so.2': FRAMEWORK,
    'tensorflow/python/nothing.py': 'pass\n',
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${distribution}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nTag: ${tag}\n`,
    ...files,
  };
  const list = Object.entries(wanted).flatMap(([name, file]): WheelFile[] => {
    if (file === undefined) return [];
    return [typeof file === 'string' || file instanceof Uint8Array ? { name, data: file } : { name, ...file }];
  });
  if (!(`${info}/RECORD` in files)) list.push({ name: `${info}/RECORD`, data: recordOf(list) });
  return zip(list);
}

async function zip(files: readonly WheelFile[]): Promise<Uint8Array> {
  const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const { name, data, options } of files) await writer.add(name, new Uint8ArrayReader(bytesOf(data)), options);
  return writer.close();
}

function recordOf(files: readonly WheelFile[]): string {
  return files
    .flatMap(({ name, data, record }) => {
      if (record === null) return [];
      const bytes = bytesOf(data);
      const digest = record ?? createHash('sha256').update(bytes).digest('base64url');
      return [`${name},sha256=${digest},${bytes.length}\n`];
    })
    .join('');
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? new TextEncoder().encode(data) : data;
}

/** Bytes that do not compress, always the same. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}
