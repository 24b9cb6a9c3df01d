import { expect, test } from 'vitest';
import { bytesSource, openTensors } from '../src/index.ts';
import { zip } from './forge.ts';
import { rejection } from './helpers.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const begins = (...bytes: number[]): Uint8Array => Uint8Array.from({ length: 600 }, (_, i) => bytes[i] ?? 0);
const tar = (first: string): Uint8Array => {
  const head = begins(...text(first));
  head.set(text('ustar'), 257);
  return head;
};

const files: readonly [string, Uint8Array, RegExp][] = [
  ['a web page', text('\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>'), /a web page.*download/],
  ['the answer of a server', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /XML document/],
  ['the same in JSON', text('{"message":"Not Found"}'), /a JSON text/],
  ['the same in words', text('404: Not Found'), /a text: '404: Not Found'.*download/],
  ['a pointer of Git LFS', text('version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n'), /git lfs pull/],
  ['an index of shards', text('{"metadata": {"total_size": 9}, "weight_map": {}}'), /lie in several files/],
  ['HDF5', begins(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a), /Keras.*PyTorch/],
  ['numpy’s one array', begins(0x93, ...text('NUMPY')), /\.npy/],
  ['gzip', begins(0x1f, 0x8b, 8), /gzip.*Unpack/],
  ['zstd', begins(0x28, 0xb5, 0x2f, 0xfd), /zstd.*Unpack/],
  ['a photograph', begins(0xff, 0xd8, 0xff, 0xe0), /a JPEG image/],
  ['TensorFlow Lite', begins(0x1c, 0, 0, 0, ...text('TFL3')), /TensorFlow Lite/],
  ['an ONNX model', begins(8, 14, 0x3a, 51), /an ONNX model.*mask-rcnn export/],
  ['a tar archive', tar('weights/model.pth'), /a tar archive.*Unpack/],
  ['PyTorch 0.1’s', tar('sys_info'), /PyTorch 0\.1.*save it again/],
];

test.each(files)('%s in place of weights is called that', async (_, bytes, says) => {
  const error = await rejection(openTensors(bytesSource(bytes, 'weights.pth')));
  expect(error.code).toMatch(/^FILE_(MALFORMED|REFUSED)$/);
  expect(error.message).toMatch(says);
});

const archives: readonly [string, string[], RegExp][] = [
  ['numpy’s', ['conv.npy', 'norm.npy'], /numpy \(\.npz\)/],
  ['Keras’', ['metadata.json', 'config.json', 'model.weights.h5'], /Keras/],
  ['one around weights', ['run/best.pth', 'run/log.txt'], /file of weights inside.*Unpack/],
  ['a program of torch.export', ['m/archive_format', 'm/data/weights/weight_0'], /torch\.export/],
  ['TorchScript', ['m/data.pkl', 'm/constants.pkl', 'm/code/m.py'], /torch\.jit\.load/],
  ['photographs', ['a.jpg', 'b.jpg'], /0 data\.pkl: 2 entries: a\.jpg, b\.jpg/],
];

test.each(archives)('a zip archive that is %s is called that', async (_, names, says) => {
  const bytes = zip(names.map((name) => ({ name, data: text('x') })));
  expect((await rejection(openTensors(bytesSource(bytes, 'weights.pth')))).message).toMatch(says);
});
