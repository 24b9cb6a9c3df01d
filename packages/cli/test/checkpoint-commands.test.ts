import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryEntry, type TensorEntry, torchvisionProfile } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';

const directory = mkdtempSync(join(tmpdir(), 'rcnn-cli-'));
const fixtures = new URL('../../checkpoint/test/fixtures/pth/', import.meta.url).pathname;
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => void vi.restoreAllMocks());

/** Runs the program in this process; gives its exit code and what it wrote. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  const code = await main(args);
  vi.restoreAllMocks();
  return { code, ...written };
}

function tensor(name: string): TensorEntry {
  return memoryEntry(name, 'float32', [2], Float32Array.of(1, 2));
}

test('inspect --json gives the digests of PyTorch', async () => {
  const manifest = JSON.parse(readFileSync(`${fixtures}manifest.json`, 'utf8')) as Record<
    string,
    Record<string, object>
  >;
  for (const file of ['dtypes.pth', 'channels_last.pth', 'legacy_tar.pth']) {
    const { code, out } = await run('inspect', fixtures + file, '--json');
    expect(code).toBe(0);
    const { tensors } = JSON.parse(out) as { tensors: { name: string }[] };
    const byName = Object.fromEntries(tensors.map(({ name, ...rest }) => [name, rest]));
    expect(byName).toEqual(manifest[file]);
  }
});

test('inspect lists one tensor per line on stdout and sums up on stderr', async () => {
  const { code, out, err } = await run('inspect', `${fixtures}plain_dict.pth`);
  expect(code).toBe(0);
  expect(out.trimEnd().split('\n')).toHaveLength(4);
  expect(out).toMatch(/^conv\.weight +float32 +092ec9b2[\da-f]{56} {2}\[4, 3, 3, 3\]$/m);
  expect(err).toContain('pth, 4 tensors');
});

test('inspect refuses a hostile file with its code and a place', async () => {
  const { code, out, err } = await run('inspect', `${fixtures}hostile_os_system.pth`, '--json');
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).toMatch(/^error FILE_REFUSED: .*data\.pkl, byte \d+.*posix\.system/);
  expect((await run('inspect', join(directory, 'none.pth'))).err).toContain('error FILE_MISSING');
});

test('inspect shows profile, info and groups of our checkpoints, and finds damage', async () => {
  const path = join(directory, 'ours.safetensors');
  const profile = torchvisionProfile({ source: 'a test', numClasses: 2 });
  const groups = { optimizer: [tensor('a')] };
  await saveCheckpoint(path, { weights: [tensor('a')], groups, profile, info: { epoch: 3 } });
  const { out } = await run('inspect', path, '--json');
  expect(JSON.parse(out)).toMatchObject({ format: 'safetensors', verified: true, profile, info: { epoch: 3 } });
  expect((JSON.parse(out) as { tensors: { name: string }[] }).tensors.map(({ name }) => name)).toEqual([
    'a',
    'optimizer/a',
  ]);
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  expect((await run('inspect', path)).err).toContain('error DIGEST_MISMATCH');
});

test('convert takes the model out, renames and drops', async () => {
  const input = join(directory, 'old.safetensors');
  const names = [
    'rpn.head.conv.weight',
    'backbone.fpn.inner_blocks.2.bias',
    'roi_heads.mask_head.mask_fcn3.weight',
    'a.num_batches_tracked',
  ];
  await saveCheckpoint(input, { weights: names.map(tensor) });
  const output = join(directory, 'new.safetensors');
  expect((await run('convert', input, output)).err).toContain('3 tensors');
  const converted = await loadCheckpoint(output);
  expect(converted.verified).toBe(true);
  expect([...converted.weights.tensors.keys()]).toEqual([
    'rpn.head.conv.0.0.weight',
    'backbone.fpn.inner_blocks.2.0.bias',
    'roi_heads.mask_head.2.0.weight',
  ]);
  await converted.close();
});

test('convert reads nested .pth files; tensors keep their bytes', async () => {
  const output = join(directory, 'nested.safetensors');
  expect((await run('convert', `${fixtures}training_checkpoint.pth`, output)).code).toBe(0);
  const before = await run('inspect', `${fixtures}plain_dict.pth`, '--json');
  const after = await run('inspect', output, '--json');
  type Listing = { tensors: { name: string }[] };
  const expected = (JSON.parse(before.out) as Listing).tensors.filter(({ name }) => !name.endsWith('tracked'));
  expect((JSON.parse(after.out) as Listing).tensors).toEqual(expected);
});

/** A file of detectron2 with as little as makes it one. */
async function ofDetectron2(name: string, ...more: TensorEntry[]): Promise<string> {
  const path = join(directory, name);
  await saveCheckpoint(path, { weights: [tensor('proposal_generator.rpn_head.conv.weight'), ...more] });
  return path;
}

test('convert follows what a file of another program says, and tells what it does not say', async () => {
  const output = join(directory, 'theirs.safetensors');
  const unsaid = await run('convert', await ofDetectron2('unsaid.safetensors'), output);
  expect([unsaid.code, unsaid.err]).toEqual([
    0,
    expect.stringMatching(
      /warning: .*unsaid\.safetensors: .*taken for caffe style.*; if it is otherwise, say so with --style$/m,
    ),
  ]);
  const numbers = (name: string, ...values: number[]) =>
    memoryEntry(name, 'float32', [3, 1, 1], Float32Array.from(values));
  const said = await ofDetectron2(
    'said.safetensors',
    numbers('pixel_mean', 124, 116, 103),
    numbers('pixel_std', 51, 25.5, 127.5),
  );
  const { code, err } = await run('convert', said, output, '--force');
  expect([code, err]).toEqual([0, expect.not.stringContaining('warning')]);
  const { profile, close } = await loadCheckpoint(output);
  expect(profile).toMatchObject({
    options: { strideIn: '3x3' },
    input: { channelOrder: 'rgb', mean: [124, 116, 103].map((value) => value / 255), std: [0.2, 0.1, 0.5] },
  });
  await close();
});

/** A pickle as mmengine saves a detector of mmdetection with moving averages: ones are averages, twos are not. */
function mmengineFile(): Buffer {
  const word = (value: string): string => `\x8c${String.fromCharCode(value.length)}${value}`; // SHORT_BINUNICODE
  const dict = (entries: readonly (readonly [string, string])[]): string =>
    `}(${entries.flatMap(([key, value]) => [word(key), value]).join('')}u`;
  const array = (value: number): string => {
    const bytes = Buffer.from(Float32Array.of(value).buffer).toString('latin1');
    return `cnumpy.core.numeric\n_frombuffer\n(C\x04${bytes}cnumpy\ndtype\n(${word('f4')}tR(K\x01t${word('C')}tR`;
  };
  const state = (start: string, value: number): string =>
    dict(['rpn_head.rpn_conv.weight', 'neck.lateral_convs.0.conv.weight'].map((name) => [start + name, array(value)]));
  const file = dict([
    ['meta', dict([['mmengine_version', word('0.10.4')]])],
    ['state_dict', state('', 1)],
    ['ema_state_dict', state('module.', 2)],
  ]);
  return Buffer.from(`\x80\x04${file}.`, 'latin1');
}

test('convert tells of averaged weights in files of other programs too, and takes mmengine’s from the model', async () => {
  const output = join(directory, 'averaged.safetensors');
  const input = join(directory, 'mmengine.pth');
  writeFileSync(input, mmengineFile());
  const plain = await run('convert', input, output);
  expect([plain.code, plain.err]).toEqual([0, expect.stringContaining('its weights are moving averages already')]);
  const averaged = await run('convert', input, output, '--force', '--moving-average');
  expect([averaged.code, averaged.err]).toEqual([
    0,
    expect.stringMatching(/a model of mmdetection \(averaged weights, 0 dropped\)/),
  ]);
  const { weights, close } = await loadCheckpoint(output);
  const values = await weights.tensors.get('rpn.head.conv.0.0.weight')!.read();
  expect([...new Float32Array(values.buffer)]).toEqual([1]);
  await close();
});

test('convert downloads what is not here, unless it may not', async () => {
  vi.stubEnv('RCNN_CACHE', join(directory, 'cache'));
  const asked: string[] = [];
  const bytes = readFileSync(await ofDetectron2('remote.safetensors'));
  const server = createServer((request, response) => {
    asked.push(request.url!);
    response.end(bytes);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/w.safetensors`;
    const output = join(directory, 'downloaded.safetensors');
    const offline = await run('convert', url, output, '--offline');
    expect([offline.code, offline.err, asked]).toEqual([1, expect.stringMatching(/OFFLINE.*without --offline/s), []]);
    const { code, err } = await run('convert', url, output);
    expect([code, err, asked]).toEqual([0, expect.stringContaining(`downloading ${url}`), ['/w.safetensors']]);
    expect(existsSync(output)).toBe(true);
  } finally {
    server.close();
    vi.unstubAllEnvs();
  }
});

test('convert does not overwrite, and writes safetensors only', async () => {
  const output = join(directory, 'kept.safetensors');
  writeFileSync(output, 'mine');
  const again = await run('convert', `${fixtures}plain_dict.pth`, output);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('FILE_EXISTS')]);
  expect(readFileSync(output, 'utf8')).toBe('mine');
  expect((await run('convert', `${fixtures}plain_dict.pth`, output, '--force')).code).toBe(0);
  expect((await run('convert', `${fixtures}plain_dict.pth`, join(directory, 'x.pth'))).code).toBe(2);
  const failed = await run('convert', `${fixtures}hostile_eval.pth`, join(directory, 'never.safetensors'));
  expect([failed.code, existsSync(join(directory, 'never.safetensors'))]).toEqual([1, false]);
});
