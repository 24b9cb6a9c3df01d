import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blobSource, bytesSource, openTensors, sha256Of, type TensorSource } from '../src/index.ts';
import { openTensorFile } from '../src/node/index.ts';
import { expectReject, fixture, fixtureNames, fixtures, rejection } from './helpers.ts';

interface Described {
  dtype: string;
  shape: number[];
  sha256: string;
}

const manifest = JSON.parse(new TextDecoder().decode(fixture('pth/manifest.json'))) as Record<
  string,
  Record<string, Described>
>;
const hostile = fixtureNames('pth').filter((name) => name.startsWith('hostile_'));

async function describeTensors(source: TensorSource): Promise<Record<string, Described>> {
  const result: Record<string, Described> = {};
  for (const { name, dtype, shape, chunks } of source.tensors.values()) {
    result[name] = { dtype, shape: [...shape], sha256: await sha256Of(chunks()) };
  }
  return result;
}

test('the manifest has all 16 good files and there are 10 hostile ones', () => {
  expect(Object.keys(manifest)).toHaveLength(16);
  expect(hostile).toHaveLength(10);
});

test.each(Object.keys(manifest))('%s: every tensor has the digest that PyTorch gave', async (name) => {
  const source = await openTensorFile(join(fixtures, 'pth', name));
  const found = await describeTensors(source);
  for (const [tensor, expected] of Object.entries(manifest[name]!)) expect(found[tensor]).toEqual(expected);
  // Nothing is made up either; the training checkpoint also holds the optimiser's momentum.
  const extra = Object.keys(found).filter((tensor) => !(tensor in manifest[name]!));
  expect(extra).toEqual(name === 'training_checkpoint.pth' ? ['optimizer.state.0.momentum_buffer'] : []);
  await source.close();
});

test('whole reads and streams give the same bytes, from files, blobs and memory', async () => {
  for (const name of ['dtypes.pth', 'shared_storage.pth', 'transposed.pth', 'legacy_tar.pth']) {
    const bytes = fixture(`pth/${name}`);
    for (const source of [bytesSource(bytes), blobSource(new Blob([bytes]))]) {
      const tensors = await openTensors(source);
      for (const [tensor, expected] of Object.entries(manifest[name]!)) {
        expect(await sha256Of([await tensors.tensors.get(tensor)!.read()])).toBe(expected.sha256);
      }
    }
  }
});

const reasons: Record<string, [code: string, text: string]> = {
  'hostile_os_system.pth': ['FILE_REFUSED', 'posix.system'],
  'hostile_eval.pth': ['FILE_REFUSED', 'eval'],
  'hostile_subprocess.pth': ['FILE_REFUSED', 'subprocess'],
  'hostile_getattr.pth': ['FILE_REFUSED', 'getattr'],
  'hostile_truncated_at_10.pth': ['FILE_TRUNCATED', ''],
  'hostile_truncated_at_200.pth': ['FILE_TRUNCATED', ''],
  'hostile_truncated_at_1405.pth': ['FILE_TRUNCATED', ''],
  'hostile_truncated_at_2781.pth': ['FILE_TRUNCATED', ''],
  'hostile_central_directory.pth': ['FILE_MALFORMED', 'plain_dict/data.pkl'],
  'hostile_not_a_zip.pth': ['FILE_MALFORMED', 'not a checkpoint'],
};

test.each(hostile)('%s is refused, says why, and runs nothing', async (name) => {
  const [code, text] = reasons[name]!;
  const before = Object.getOwnPropertyNames(Object.prototype);
  const error = await rejection(async () => openTensorFile(join(fixtures, 'pth', name)));
  expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
  expect(error.message).toMatch(/byte \d+|entry /);
  expect(existsSync('CANARY_MUST_NOT_EXIST')).toBe(false);
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
});

test('a file cut at any byte is refused', async () => {
  for (const name of ['plain_dict.pth', 'legacy_tar.pth', 'transposed.pth']) {
    const bytes = fixture(`pth/${name}`);
    for (let cut = 0; cut < bytes.length; cut += name === 'transposed.pth' ? 1 : 7) {
      await rejection(() => openTensors(bytesSource(bytes.subarray(0, cut), name)));
    }
  }
});

test('a file with bytes behind its end is refused', async () => {
  for (const name of ['plain_dict.pth', 'legacy_tar.pth']) {
    const bytes = Buffer.concat([fixture(`pth/${name}`), Buffer.from('x')]);
    await rejection(() => openTensors(bytesSource(new Uint8Array(bytes), name)));
  }
});

test('a flipped bit in a stored tensor is caught by its checksum', async () => {
  const bytes = fixture('pth/plain_dict.pth');
  const source = await openTensors(bytesSource(bytes));
  const data = await source.tensors.get('conv.weight')!.read();
  const at = Buffer.from(bytes).indexOf(Buffer.from(data));
  bytes[at + 5]! ^= 4;
  const bad = await openTensors(bytesSource(bytes));
  await expectReject(bad.tensors.get('conv.weight')!.read(), 'DIGEST_MISMATCH', 'plain_dict/data/0');
});
