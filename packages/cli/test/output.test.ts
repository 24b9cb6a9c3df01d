import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { main } from '../src/main.ts';
import { NewNames } from '../src/output/new-names.ts';
import * as output from '../src/output/print.ts';
import { systemError } from '../src/output/system-error.ts';

const { jsonText, note, print, printError } = output;

const BIN = fileURLToPath(new URL('../bin/mask-rcnn.js', import.meta.url));
const HOSTILE = 'x\n\u001b]0;pwned\u0007error FAKE: y\u009b\u202e';

afterEach(() => void vi.restoreAllMocks());

async function captured(work: () => unknown): Promise<{ out: string; err: string }> {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written.out += String(text)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((written.err += String(text)), true));
  await work();
  vi.restoreAllMocks();
  return written;
}

/** Everything that is not a letter, a line end or a plain sign. */
const UNCLEAN = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;

describe('one writer', () => {
  test('each argument is one clean line', async () => {
    const { out, err } = await captured(() => {
      print(HOSTILE, 'b');
      note(HOSTILE);
    });
    expect(out.split('\n')).toHaveLength(3);
    expect(err.split('\n')).toHaveLength(2);
    expect(out + err).not.toMatch(UNCLEAN);
  });

  test('an error begins once, whatever is in it', async () => {
    const { err } = await captured(() => printError('error FILE_MISSING', `${HOSTILE}\nerror FAKE: z`));
    expect(err.match(/^error /gm)).toHaveLength(1);
    expect(err).not.toMatch(UNCLEAN);
  });

  test('what happens meanwhile is short, however long a name is', async () => {
    const { err } = await captured(() => note(`${'x'.repeat(1e6)}: could not be used`));
    expect([err.length < 5000, err.endsWith('xxx: could not be used\n')]).toEqual([true, true]);
  });

  test('JSON stays the same value', () => {
    const value = { [HOSTILE]: [HOSTILE, '\u2028\ufeff😀'] };
    expect(jsonText(value, true)).not.toMatch(UNCLEAN);
    expect(JSON.parse(jsonText(value))).toEqual(value);
    expect(jsonText({ a: Number.NaN }, true)).toBe('{"a":"NaN"}');
  });

  test('every writer cleans what it is given', async () => {
    const writers: Readonly<Record<keyof typeof output, () => void>> = {
      print: () => output.print(HOSTILE),
      note: () => output.note(HOSTILE),
      printJson: () => output.printJson({ [HOSTILE]: HOSTILE }),
      jsonText: () => process.stdout.write(output.jsonText([HOSTILE])),
      status: () => output.status(HOSTILE),
      endStatus: () => output.endStatus(),
      printError: () => output.printError(`error ${HOSTILE}`, HOSTILE),
      printStack: () => output.printStack(HOSTILE),
      helpWriter: () => output.helpWriter(process.stderr)(HOSTILE),
      goOnWithoutReader: () => undefined,
      endQuietlyOnClosedPipe: () => undefined, // writes an error code of the system, by printError
    };
    expect(Object.keys(writers).sort()).toEqual(Object.keys(output).sort());
    for (const [name, write] of Object.entries(writers)) {
      const { out, err } = await captured(write);
      expect([name, UNCLEAN.exec(out + err)?.[0]]).toEqual([name, undefined]);
    }
  });
});

test.each([
  [['--version'], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
  [['train', `--${HOSTILE}`], 2, /^$/, /^error UNKNOWN_OPTION: unknown option/],
  [['evaluate'], 2, /^$/, /^error INVALID_ARGUMENT: required option '--gt/],
  [[HOSTILE], 2, /^$/, /^error INVALID_ARGUMENT: unknown command/],
] as const)('%j', async (args, code, outPattern, errPattern) => {
  let exit = -1;
  const { out, err } = await captured(async () => (exit = await main(args)));
  expect(exit).toBe(code);
  expect(out).toMatch(outPattern);
  expect(err).toMatch(errPattern);
  expect((err.match(/^error /gm) ?? []).length).toBe(code === 0 ? 0 : 1);
  expect(out + err).not.toMatch(UNCLEAN);
});

test.skipIf(process.platform === 'win32')(
  'a closed pipe ends quietly',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  () => {
    const script = `"${process.execPath}" "${BIN}" --help | head -n 1; "${process.execPath}" "${BIN}" train --help | true`;
    const { stderr, stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^Usage: mask-rcnn/);
  },
);

test.each([
  ['ENOENT', 'FILE_MISSING'],
  ['EACCES', 'IO_FAILED'],
  ['EROFS', 'IO_FAILED'],
  ['EISDIR', 'IO_FAILED'],
  ['ENAMETOOLONG', 'IO_FAILED'],
  ['ENOSPC', 'DISK_FULL'],
])('%s of the operating system is one of our errors', (code, ours) => {
  const error = Object.assign(new Error(code), { code, syscall: 'open', path: '/a/file', errno: -1 });
  expect(systemError(error)).toMatchObject({ code: ours, where: '/a/file' });
  const bug = new TypeError('a bug');
  expect(systemError(bug)).toBe(bug);
});

test('names of files that are written: distinct, plain, not too long', () => {
  const names = new NewNames();
  expect(
    ['a/0001.png', 'b/0001.PNG', 'c\\0001.jpg', '../..', '.bashrc', 'x\n\u001b.png', ''].map((f) => names.take(f)),
  ).toEqual(['0001', '0001-2', '0001-3', '_', '_bashrc', 'x__', 'image']);
  const long = names.take(`${'日'.repeat(300)}.png`);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(180);
  expect(long).toMatch(/^日+$/);
});

test('whoever reads no more ends the program, unless it writes files too', async () => {
  vi.resetModules();
  const { endQuietlyOnClosedPipe, goOnWithoutReader } = await import('../src/output/print.ts');
  const before = [process.stdout, process.stderr].map((stream) => stream.listeners('error'));
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
  const closed = Object.assign(new Error('closed'), { code: 'EPIPE' });
  try {
    endQuietlyOnClosedPipe();
    process.stdout.emit('error', closed);
    expect(exit).toHaveBeenCalledTimes(1);
    goOnWithoutReader();
    process.stdout.emit('error', closed);
    expect(exit).toHaveBeenCalledTimes(1);
  } finally {
    exit.mockRestore();
    [process.stdout, process.stderr].forEach((stream, i) => {
      for (const listener of stream.listeners('error'))
        if (!before[i]!.includes(listener)) stream.off('error', listener as () => void);
    });
  }
});
