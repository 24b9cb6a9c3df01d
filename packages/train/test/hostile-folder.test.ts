import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonValue } from '@rcnn/checkpoint';
import { loadCheckpoint, saveCheckpoint } from '@rcnn/checkpoint/node';
import { writeShapes } from '@rcnn/coco-data/node';
import { RcnnError } from '@rcnn/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acquireLock, readMetrics, resume, type TrainEvent, train } from '../src/index.ts';
import { readDataRecord } from '../src/run/data-record.ts';
import { tinyMaskRcnn } from './tiny-architecture.ts';

const architectures = [tinyMaskRcnn];

let folder: string;
let base: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-folder-'));
  await writeShapes(join(folder, 'data'), { splits: { train: 2, val: 1 }, size: [48, 64] });
  const end = await train(
    {
      data: join(folder, 'data'),
      preset: 'quick',
      arch: tinyMaskRcnn.name,
      minSize: 48,
      maxSize: 64,
      proposals: 30,
      batchSize: 2,
      workers: 0,
      engine: 'onnxruntime',
      out: join(folder, 'runs'),
      name: 'base',
      optimizer: 'adamw',
      steps: 1,
    },
    { architectures },
  );
  base = end.folder.path;
});
afterAll(() => rmSync(folder, { recursive: true }));

let copies = 0;
function copy(): string {
  const path = join(folder, 'runs', `copy${copies++}`);
  cpSync(base, path, { recursive: true });
  return path;
}

function makePipe(path: string): void {
  rmSync(path, { force: true });
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
}

function makeFolder(path: string): void {
  rmSync(path, { force: true });
  mkdirSync(path);
}

const HISTORY: Readonly<Record<string, readonly string[]>> = {
  'environment.json': ['', 'null', '{"runs":[null,5]}', `{"runs":[${'['.repeat(9999)}${']'.repeat(9999)}]}`],
  'evaluation.json': ['{', 'null', '{}', '{"results":{"segm":{"stats":["a",{}],"classes":[{"name":5}]}}}'],
  'analysis.json': ['{', 'null', '{"segm":{"plots":[5]}}', '{"bbox":{"report":{},"plots":[]}}'],
  'data.json': ['', 'null', '{}', '{"train":5}'],
  'pictures/validation.png': ['', 'x'],
};

// All damage that costs only itself at once: a resumed run meets the first of each, then the second, …
test.each([0, 1, 2, 3])('a resumed run passes over broken history (%i)', async (round) => {
  const path = copy();
  for (const [name, texts] of Object.entries(HISTORY)) writeFileSync(join(path, name), texts[round % texts.length]!);
  const lines = readFileSync(join(path, 'metrics.jsonl'), 'utf8');
  writeFileSync(join(path, 'metrics.jsonl'), `${lines}null\n5\n{"kind":"step","step":"1"}\n{"kind":"st`);
  const warnings: string[] = [];
  const onEvent = (event: TrainEvent): void => void (event.kind === 'warning' && warnings.push(event.text));
  const { position } = await resume(path, {}, { architectures, onEvent }); // nothing is left to do but the report
  expect(position.step).toBe(1);
  expect(readFileSync(join(path, 'metrics.jsonl'), 'utf8')).toBe(lines);
  expect(warnings.filter((text) => /4 lines cannot be read/.test(text))).toHaveLength(1);
  expect(readFileSync(join(path, 'report.html'), 'utf8')).toContain('</html>');
  expect(JSON.parse(readFileSync(join(path, 'environment.json'), 'utf8'))).toHaveProperty('runs');
});

test.each([
  [{ step: 1000 }, 'FILE_MALFORMED', 'step'], // the optimizer counted one
  [{ epoch: 0, batch: 1e9 }, 'CHECKPOINT_MISMATCH', 'batch'],
])('a position %j that cannot be is refused, and nothing is written', async (changes, code, field) => {
  const path = copy();
  const last = join(path, 'checkpoints/last.safetensors');
  const file = await loadCheckpoint(last);
  const { position, ...rest } = file.info as { position: Record<string, JsonValue> };
  const info = { ...rest, position: { ...position, best: null, stale: 0, ...changes } };
  const groups = Object.fromEntries([...file.groups].map(([name, { tensors }]) => [name, [...tensors.values()]]));
  await saveCheckpoint(`${last}.new`, { weights: file.weights.tensors.values(), groups, profile: file.profile, info });
  await file.close();
  renameSync(`${last}.new`, last);
  const before = readFileSync(join(path, 'metrics.jsonl'), 'utf8');
  await expect(resume(path, {}, { architectures })).rejects.toMatchObject({
    code,
    where: last,
    place: `__metadata__.rcnn.info.position.${field}`,
  });
  expect(readFileSync(join(path, 'metrics.jsonl'), 'utf8')).toBe(before);
});

test.each(['config.yaml', 'metrics.jsonl', 'checkpoints/last.safetensors'])(
  'a folder or a pipe for %s is refused at once',
  async (name) => {
    for (const make of process.platform === 'win32' ? [makeFolder] : [makeFolder, makePipe]) {
      const path = copy();
      make(join(path, name));
      await expect(resume(path, {}, { architectures })).rejects.toMatchObject({
        code: 'FILE_REFUSED',
        where: join(path, name),
      });
    }
  },
);

test.skipIf(process.platform === 'win32')(
  'a pipe in place of history is passed over, and as a lock refused',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  () => {
    const path = mkdtempSync(join(folder, 'pipes-'));
    makePipe(join(path, 'data.json'));
    expect(readDataRecord(join(path, 'data.json'))).toBeUndefined();
    makePipe(join(path, 'run.lock'));
    expect(() => acquireLock(join(path, 'run.lock'))).toThrowError(expect.objectContaining({ code: 'FILE_REFUSED' }));
  },
);

test.each(['/../../../pwn', 'a\0b', 'a'.repeat(5000), 5, null])(
  'a lock with the id %j is nobody’s to take over',
  (id) => {
    const path = join(mkdtempSync(join(folder, 'lock-')), 'run.lock');
    writeFileSync(path, JSON.stringify({ id, pid: 2 ** 22 + 1, host: 'here', since: 'yesterday' }));
    expect(() => acquireLock(path)).toThrowError(RcnnError);
  },
);

test('fields of metrics that are no numbers are left out', () => {
  const file = join(folder, 'metrics.jsonl');
  writeFileSync(
    file,
    '{"__proto__":{"a":1},"kind":"step","step":1,"epoch":0,"x":"<b>","n":null,"huge":1e400,"loss":2}\n',
  );
  expect(readMetrics(file)).toEqual([{ kind: 'step', step: 1, epoch: 0, loss: 2 }]);
});
