import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Random } from '@rcnn/core/random';
import { effort } from '@rcnn/shared/effort';
import { memoryTaken } from '@rcnn/shared/memory';
import { expect, test } from 'vitest';
import { bytesSource, openTensors } from '../src/index.ts';
import { ALLOWED } from '../src/pth/pickle/globals.ts';
import { unpickle } from '../src/pth/pickle/machine.ts';
import { archive, concat, P, pickle, tensorPickle, u32, u64 } from './forge.ts';
import { rejection, repeats } from './helpers.ts';

const canary = 'CANARY_MUST_NOT_EXIST';

const globals = [
  'posix system',
  'nt system',
  'os system',
  'os popen',
  'os execv',
  'os.path join',
  'subprocess Popen',
  'subprocess call',
  'builtins eval',
  'builtins exec',
  'builtins compile',
  'builtins getattr',
  'builtins setattr',
  'builtins __import__',
  'builtins open',
  'builtins globals',
  'builtins vars',
  'builtins map',
  'builtins apply',
  '__builtin__ eval',
  '__builtin__ file',
  'importlib import_module',
  'runpy run_path',
  'runpy _run_code',
  'code interact',
  'pty spawn',
  'socket create_connection',
  'shutil rmtree',
  'pickle loads',
  'pickle _loads',
  'marshal loads',
  'types FunctionType',
  'types CodeType',
  'operator attrgetter',
  'operator methodcaller',
  'functools partial',
  'functools reduce',
  'webbrowser open',
  'ctypes CDLL',
  'pip main',
  'pdb run',
  'bdb Bdb',
  'timeit timeit',
  'cProfile run',
  'profile run',
  'torch load',
  'torch hub',
  'torch.hub load',
  'torch.storage _load_from_bytes',
  'torch.jit load',
  'torch._dynamo.guards GuardBuilder.get',
  'torch.utils.data.datapipes.utils.decoder basichandlers',
  'torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression',
  'torch.serialization load',
  'torch.utils.collect_env run',
  'torch.distributed.rpc rpc_sync',
  'numpy.f2py.crackfortran getlincoef',
  'numpy.f2py.crackfortran _eval_length',
  'numpy.testing._private.utils runstring',
  'numpy load',
  'idlelib.pyshell ModifiedInterpreter.runcode',
  'lib2to3.pgen2.grammar Grammar.loads',
  'logging.config _resolve',
  'asyncio.unix_events _UnixSubprocessTransport._start',
  'site main',
  'trace Trace.run',
  'doctest debug_script',
  'ensurepip._run main',
  'distutils.file_util write_file',
  'multiprocessing.util spawnv_passfds',
  'uuid _popen',
  'urllib.request urlopen',
  'http.client HTTPSConnection',
  'smtplib SMTP',
  'requests get',
  'sys exit',
  'sys modules',
  'copyreg add_extension',
  'copy_reg __newobj__',
  'collections namedtuple',
  'collections.abc Callable',
  '__main__ Net',
  'torchvision.models.resnet ResNet',
  'torch.nn.modules.container Sequential',
  'constructor constructor',
  '__proto__ polluted',
  'Object prototype',
  'toString call',
  'hasOwnProperty x',
  'valueOf x',
  'process exit',
  'Function x',
]; // prettier-ignore

/** The ways a pickle can name and call a global. */
const calls: Record<string, (module: string, name: string) => Uint8Array> = {
  reduce: (module, name) => concat(P.global(module, name), P.tuple(P.text(`touch ${canary}`)), P.reduce),
  stackGlobal: (module, name) => concat(P.text(module), P.text(name), P.byte(0x93), P.tuple(P.text(canary)), P.reduce),
  newObject: (module, name) => concat(P.global(module, name), P.tuple(P.text(canary)), P.newObject),
  instance: (module, name) => concat(P.mark, P.text(canary), P.byte(0x69), `${module}\n${name}\n`),
  object: (module, name) => concat(P.mark, P.global(module, name), P.text(canary), P.byte(0x6f)),
  mention: (module, name) => P.global(module, name),
};

test.each(globals)('the global %s is refused by name and byte, however it is used', async (global) => {
  const [module, name] = global.split(' ') as [string, string];
  const before = Object.getOwnPropertyNames(Object.prototype);
  for (const call of Object.values(calls)) {
    const error = await rejection(() => openTensors(bytesSource(archive(pickle(P.dict({ t: call(module, name) }))))));
    expect(error.code).toBe('FILE_REFUSED');
    expect(error.message).toContain(`'${module}.${name}'`);
    expect(error.place).toMatch(/^data\.pkl, byte \d+$/);
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  expect(existsSync(canary)).toBe(false);
});

test('gadgets in all protocols, written by the reference if it is here', () => {
  // Python is never needed: without it the file above stands alone.
  const script = `
import pickle, os, sys, base64
class G:
  def __reduce__(self): return os.system, ('touch ${canary}',)
for p in range(6): print(base64.b64encode(pickle.dumps({'w': G()}, p)).decode())`;
  const { stdout, status } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  if (status !== 0) return;
  for (const line of stdout.trim().split('\n')) {
    const bytes = new Uint8Array(Buffer.from(line, 'base64'));
    expect(() => unpickle(bytes, 0, { where: 'x' })).toThrow(/posix\.system/);
  }
  expect(existsSync(canary)).toBe(false);
});

const opcodes: [string, Uint8Array, RegExp][] = [
  ['extension 1', concat(Uint8Array.of(0x82, 1)), /copyreg/],
  ['extension 2', concat(Uint8Array.of(0x83, 1, 0)), /copyreg/],
  ['extension 4', concat(Uint8Array.of(0x84, 1, 0, 0, 0)), /copyreg/],
  ['a buffer from outside', Uint8Array.of(0x97), /outside/],
  ['a call of text', concat(P.text('eval'), P.tuple(), P.reduce), /cannot be called/],
  ['a call of a storage type', concat(P.global('torch', 'FloatStorage'), P.tuple(), P.reduce), /cannot be called/],
  ['a call of a tensor type', concat(P.global('torch', 'Tensor'), P.tuple(), P.reduce), /cannot be called/],
  [
    'a nested call',
    concat(P.global('collections', 'OrderedDict'), P.tuple(), P.reduce, P.tuple(), P.reduce),
    /cannot be called/,
  ],
  ['a call without a tuple', concat(P.global('collections', 'OrderedDict'), P.none, P.reduce), /tuple/],
  [
    'a constructor given functions',
    concat(P.global('collections', 'OrderedDict'), P.tuple(P.global('torch', 'Tensor')), P.reduce),
    /arguments/,
  ],
  ['state for text', concat(P.text('x'), P.dict({ a: P.none }), P.build), /state/],
  [
    'keywords',
    concat(P.global('collections', 'OrderedDict'), P.tuple(), P.dict({ a: P.none }), P.byte(0x92)),
    /keywords/,
  ],
  [
    'a whole module',
    concat(P.tuple(P.text('module'), P.global('torch', 'Tensor'), P.text('x.py'), P.text('')), P.persistent),
    /state_dict/,
  ],
  ['a reference to nothing', concat(P.text('x'), P.persistent), /not to a storage/],
  ['a protocol from the future', P.proto(6), /protocol/],
  ['an unknown opcode', Uint8Array.of(0xff), /opcode 0xff/],
  ['an empty stack', P.reduce, /stack/],
  ['a missing mark', Uint8Array.of(0x74), /mark/],
  ['a memo entry that is not there', P.get(3), /memo/],
  ['items for a number', concat(P.int(1), P.int(2), Uint8Array.of(0x61)), /list/],
  ['keys for a number', concat(P.int(1), P.int(2), P.int(3), Uint8Array.of(0x73)), /dict/],
  ['a mark as a value', concat(P.mark, P.put(0)), /stack/],
  ['text that is not UTF-8', concat(Uint8Array.of(0x58, 1, 0, 0, 0, 0xff)), /UTF-8/],
  ['a number that is none', concat('I', 'x\n'), /number/],
  [
    'a storage without a type',
    concat(P.tuple(P.text('storage'), P.text('x'), P.text('0'), P.none, P.int(1)), P.persistent),
    /storage/,
  ],
];

test.each(opcodes)('%s is refused', async (_, bytes, says) => {
  const error = await rejection(() => openTensors(bytesSource(archive(pickle(bytes)))));
  expect(error.message).toMatch(says);
  expect(error.place).toMatch(/^data\.pkl, byte \d+$/);
});

const repeat = (part: Uint8Array, times: number) => Buffer.concat(Array.from({ length: times }, () => part));
/** n levels of a list that holds the one before twice: 2^n leaves. */
const laughs = (n: number) =>
  concat(
    P.list(P.int(1)),
    ...Array.from({ length: n }, () =>
      concat(P.put(0), Uint8Array.of(0x5d, 0x28), P.get(0), P.get(0), Uint8Array.of(0x65)),
    ),
  );

const bombs: [string, () => Uint8Array][] = [
  ['a tower of marks', () => repeat(P.mark, 200_000)],
  ['a tower of values', () => repeat(P.none, 200_000)],
  ['a value doubled for ever', () => concat(P.none, repeat(P.dup, 200_000))],
  ['a text of 2 GiB', () => concat(Uint8Array.of(0x58), u32(2 ** 31))],
  ['a text of 2^60 bytes', () => concat(Uint8Array.of(0x8d), u64(2n ** 60n))],
  ['bytes of 2^60', () => concat(Uint8Array.of(0x8e), u64(2n ** 60n))],
  ['a byte array of 2^40', () => concat(Uint8Array.of(0x96), u64(2n ** 40n))],
  ['a number of 2 GiB', () => concat(Uint8Array.of(0x8b), u32(2 ** 31))],
  ['a number of 1 MiB', () => concat(Uint8Array.of(0x8b), u32(1 << 20), new Uint8Array(1 << 20))],
  ['a number in a million digits', () => concat('I', '9'.repeat(1_000_000), '\n')],
  ['ten million steps', () => repeat(concat(P.none, Uint8Array.of(0x30)), 5_100_000)],
  ['a memo of a million entries', () => concat(P.none, repeat(Uint8Array.of(0x94), 1_100_000))],
  ['lists in lists, 5,000 deep', () => concat(repeat(Uint8Array.of(0x5d), 5000), repeat(Uint8Array.of(0x61), 4999))],
  [
    'dicts in dicts, 5,000 deep',
    () => concat(repeat(concat(Uint8Array.of(0x7d), P.int(1)), 5000), P.none, repeat(Uint8Array.of(0x73), 5000)),
  ],
  ['a list in itself', () => concat(Uint8Array.of(0x5d), P.put(0), P.get(0), Uint8Array.of(0x61))],
  ['2^30 shared leaves', () => laughs(30)],
  [
    'dicts copied over and over',
    () =>
      concat(
        bigList(),
        P.put(0),
        repeat(
          concat(
            P.global('collections', 'OrderedDict'),
            Uint8Array.of(0x28),
            P.get(0),
            Uint8Array.of(0x74),
            P.reduce,
            Uint8Array.of(0x30),
          ),
          2000,
        ),
      ),
  ],
  [
    'texts encoded over and over',
    () =>
      concat(
        P.text('x'.repeat(1 << 20)),
        P.put(0),
        repeat(
          concat(
            P.global('_codecs', 'encode'),
            Uint8Array.of(0x28),
            P.get(0),
            P.text('latin1'),
            Uint8Array.of(0x74),
            P.reduce,
            Uint8Array.of(0x30),
          ),
          100,
        ),
      ),
  ],
  [
    '100,001 tensors',
    () =>
      concat(
        tensorPickle(),
        P.put(0),
        Uint8Array.of(0x5d),
        ...Array.from({ length: 11 }, () => concat(P.mark, repeat(P.get(0), 10_000), Uint8Array.of(0x65))),
      ),
  ],
  ['a tensor that repeats one number 2^40 times', () => tensorPickle({ shape: [2 ** 20, 2 ** 20], strides: [0, 0] })],
];

function bigList(): Uint8Array {
  return concat(Uint8Array.of(0x5d, 0x28), repeat(P.tuple(P.int(1), P.none), 20_000), Uint8Array.of(0x65));
}

/** Memory that a bomb may take. */
const ROOM = 512 << 20;

test.each(bombs)('%s is stopped by a budget', async (_, make) => {
  const bytes = archive(pickle(new Uint8Array(make())));
  const open = (): ReturnType<typeof rejection> => rejection(() => openTensors(bytesSource(bytes)));
  const { taken, result } = await memoryTaken(() => effort(open), ROOM);
  const { spent, result: error } = result;
  expect(spent).toBeLessThan(40); // about 10; a hang would be for ever
  expect(taken).toBeLessThan(ROOM);
  expect(error.code).toBe('BUDGET_EXCEEDED');
  expect(error.place).toBeDefined();
});

test('views that lie about their storage are refused before a byte is read', async () => {
  const random = new Random(3);
  let refused = 0;
  let right = 0;
  const runs = repeats(1000);
  for (let run = 0; run < runs; run++) {
    const rank = random.integer(4);
    const pick = () => random.pick([0, 1, 2, 3, 5, 6, 7, 2 ** 31 - 1, -1, -(2 ** 31), 1000]);
    const shape = Array.from({ length: rank }, pick);
    const strides = Array.from({ length: random.chance(0.9) ? rank : rank + 1 }, pick);
    const offset = pick();
    const inside = fits(shape, strides, offset);
    try {
      const source = await openTensors(
        bytesSource(archive(pickle(P.dict({ t: tensorPickle({ shape, strides, offset }) })))),
      );
      const bytes = await source.tensors.get('t')!.read();
      expect(inside).toBe(true);
      expect([...new Float32Array(bytes.buffer)]).toEqual(expectedValues(shape, strides, offset));
      right++;
    } catch (error) {
      expect(String(error)).toContain('RcnnError');
      expect(inside).toBe(false);
      refused++;
    }
  }
  expect(refused + right).toBe(runs);
  expect(right).toBeGreaterThan(runs / 20);
  expect(refused).toBeGreaterThan(runs / 20);
});

/** Whether a view of six numbers stays inside, worked out element by element. */
function fits(shape: number[], strides: number[], offset: number): boolean {
  if (shape.length !== strides.length || [...shape, ...strides, offset].some((n) => n < 0)) return false;
  if (shape.includes(0)) return true;
  const last = offset + shape.reduce((sum, side, axis) => sum + (side - 1) * strides[axis]!, 0);
  const count = shape.reduce((product, side) => product * side, 1);
  return last < 6 && count * 4 <= 1 << 20;
}

function expectedValues(shape: number[], strides: number[], offset: number): number[] {
  let values = [offset];
  if (shape.includes(0)) return [];
  shape.forEach((side, axis) => {
    values = values.flatMap((at) => Array.from({ length: side }, (_, i) => at + i * strides[axis]!));
  });
  return values;
}

test('the documentation counts the names that a file may use', () => {
  const text = readFileSync(new URL('../../../docs/checkpoints.md', import.meta.url), 'utf8');
  expect(/data only: (\d+) names/.exec(text)?.[1]).toBe(String(ALLOWED.size));
});
