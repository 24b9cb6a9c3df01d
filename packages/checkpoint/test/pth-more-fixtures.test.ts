import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sha256Of } from '../src/index.ts';
import { openTensorFile } from '../src/node/index.ts';
import { fixture, fixtureNames, fixtures, rejection } from './helpers.ts';

// Made by tools/reference/pth_more_fixtures.py.
const manifest = JSON.parse(new TextDecoder().decode(fixture('pth-more/manifest.json'))) as Record<
  string,
  Record<string, { dtype: string; shape: number[]; sha256: string }>
>;

test.each(Object.keys(manifest))('%s: exactly the tensors of PyTorch, with its digests', async (file) => {
  const source = await openTensorFile(join(fixtures, 'pth-more', file));
  const found: Record<string, unknown> = {};
  for (const tensor of source.tensors.values()) {
    const { name, dtype, shape } = tensor;
    found[name] = { dtype, shape, sha256: await sha256Of(tensor.chunks()) };
    expect(await sha256Of([await tensor.read()])).toBe((found[name] as { sha256: string }).sha256);
  }
  expect(found).toEqual(manifest[file]);
  await source.close();
});

const reasons: Record<string, RegExp> = {
  'refused_conjugate.pth': /resolve_conj/,
  'refused_whole_module.pth': /'torch\.nn\.modules\.linear\.Linear'/,
  'refused_whole_module_legacy.pth': /whole pickled module|torch\.nn\.modules\.linear/,
  'refused_sparse.pth': /_rebuild_sparse_tensor/,
  'refused_quantized.pth': /_rebuild_qtensor|QInt8Storage/,
  'refused_torchscript.pth': /TorchScript|torch/,
  'refused_compressed.pth': /compressed/,
};

test.each(fixtureNames('pth-more').filter((name) => name.startsWith('refused')))(
  '%s is refused with a reason',
  async (file) => {
    const error = await rejection(openTensorFile(join(fixtures, 'pth-more', file)));
    expect(error.code).toBe('FILE_REFUSED');
    expect(error.message).toMatch(reasons[file]!);
    expect(error.hint).toMatch(/again|state_dict/);
  },
);
