import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reachedHeaders } from '../src/headers.ts';
import { Wheel } from '../src/wheel.ts';
import { LIBRARY, makeWheel, type WheelChoices } from './helpers/wheels.ts';
import { makeWorkshop } from './helpers/workshop.ts';

const NAME = 'tensorflow/libtensorflow_cc.so.2';
const INFO = 'tensorflow_cpu-2.21.0.dist-info';

/** Opens a wheel given as bytes, and unpacks its large library. */
async function unpack(bytes: Uint8Array): Promise<{ size: number; data: Buffer; wheel: Wheel }> {
  const { folder } = makeWorkshop();
  const path = join(folder, 'some.whl');
  writeFileSync(path, bytes);
  const wheel = await Wheel.open(path);
  try {
    const target = join(folder, 'out', 'library');
    const { size } = await wheel.extract(NAME, target);
    return { size, data: readFileSync(target), wheel };
  } finally {
    await wheel.close();
  }
}

test('a wheel says what it is and gives its files', async () => {
  const { wheel, size, data } = await unpack(await makeWheel());
  expect(wheel.distribution).toBe('tensorflow-cpu');
  expect(wheel.version).toBe('2.21.0');
  expect(wheel.platformTag).toBe('manylinux_2_27_x86_64');
  expect(size).toBe(LIBRARY.length);
  expect(data.equals(LIBRARY)).toBe(true);
});

test('headers are followed through each other, under any condition, and never out of the include folder', async () => {
  const { folder } = makeWorkshop();
  const path = join(folder, 'some.whl');
  writeFileSync(path, await makeWheel());
  const wheel = await Wheel.open(path);
  const headers = await reachedHeaders(wheel, ['#include <vector>\n  #  include "tensorflow/c/c_api.h"\n']);
  await wheel.close();
  expect(headers).toEqual(['tensorflow/c/beside.h', 'tensorflow/c/c_api.h', 'tensorflow/c/tf_status.h']);
});

describe('a wheel that is not in order is refused', () => {
  const wrong: [string, WheelChoices, string][] = [
    ['is no wheel', { files: { [`${INFO}/RECORD`]: undefined } }, 'FILE_MALFORMED'],
    ['lacks a name', { files: { [`${INFO}/METADATA`]: 'Version: 2.21.0\n' } }, 'FILE_MALFORMED'],
    ['has a path for a name', { files: { [`${INFO}/METADATA`]: 'Name: ../../x\nVersion: 1\n' } }, 'FILE_MALFORMED'],
    ['has a path for a version', { files: { [`${INFO}/METADATA`]: 'Name: x\nVersion: ../1\n' } }, 'FILE_MALFORMED'],
    ['lacks the library', { files: { [NAME]: undefined } }, 'FILE_MALFORMED'],
    ['has another digest', { files: { [NAME]: { data: LIBRARY, record: 'AAAA' } } }, 'DIGEST_MISMATCH'],
    ['has no digest', { files: { [NAME]: { data: LIBRARY, record: null } } }, 'DIGEST_MISMATCH'],
    ['is encrypted', { files: { [NAME]: { data: LIBRARY, options: { password: 'x' } } } }, 'FILE_MALFORMED'],
  ];
  test.each(wrong)('when it %s', async (_what, choices, code) => {
    await expect(makeWheel(choices).then(unpack)).rejects.toMatchObject({ name: 'RcnnError', code });
  });

  test('when it is not there', async () => {
    await expect(Wheel.open('/nowhere/some.whl')).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });

  test('when it is empty, or anything but a zip', async () => {
    for (const bytes of [new Uint8Array(0), new TextEncoder().encode('<html>404</html>')]) {
      await expect(unpack(bytes)).rejects.toMatchObject({ name: 'RcnnError', code: 'FILE_MALFORMED' });
    }
  });

  test('when it is cut short, anywhere', async () => {
    const whole = await makeWheel();
    for (let i = 0; i < 40; i++) {
      const part = whole.subarray(0, Math.floor((whole.length * i) / 40));
      await expect(unpack(part), `cut at ${part.length}`).rejects.toMatchObject({ name: 'RcnnError' });
    }
  });

  test('when a bit of the library has flipped, anywhere', async () => {
    const whole = await makeWheel();
    const start = indexOf(whole, LIBRARY.subarray(0, 32));
    for (let i = 0; i < 25; i++) {
      const damaged = Uint8Array.from(whole);
      damaged[start + Math.floor((LIBRARY.length * i) / 25)]! ^= 1 << (i % 8);
      await expect(unpack(damaged), `bit flip ${i}`).rejects.toMatchObject({ name: 'RcnnError' });
    }
  });

  test('when its directory names a file twice', async () => {
    const bytes = await makeWheel({ files: { 'tensorflow/libtensorflow_xx.so.2': 'other' } });
    const twice = replace(bytes, 'tensorflow/libtensorflow_xx.so.2', NAME);
    await expect(unpack(twice)).rejects.toMatchObject({ name: 'RcnnError', code: 'FILE_MALFORMED' });
  });

  test('when its directory claims a smaller size than it unpacks to', async () => {
    const bytes = await makeWheel({ files: { [NAME]: new Uint8Array(1_000_000) } }); // compresses well
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; at++) {
      if (view.getUint32(at, true) === 1_000_000) view.setUint32(at, 1000, true);
    }
    await expect(unpack(bytes)).rejects.toMatchObject({ name: 'RcnnError', code: 'FILE_MALFORMED' });
  });

  test('when its directory claims terabytes', async () => {
    const bytes = await makeWheel({ files: { [NAME]: { data: LIBRARY, options: { zip64: true } } } });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 8 <= bytes.length; at++) {
      if (view.getBigUint64(at, true) === BigInt(LIBRARY.length)) view.setBigUint64(at, 2n ** 42n, true);
    }
    await expect(unpack(bytes)).rejects.toMatchObject({ name: 'RcnnError', code: 'FILE_MALFORMED' });
  });
});

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  const index = Buffer.from(bytes).indexOf(part);
  if (index < 0) throw new Error('the library is not stored as it is');
  return index;
}

function replace(bytes: Uint8Array, from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(from, to), 'latin1');
}
