import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

// Real disks that fill: a small tmpfs, mounted in a namespace of the test's own (full-disk-process.ts). Where the system
// gives no such namespace the test is skipped; RCNN_DISKS sets how many, a release run asks for 200.
const DISKS = Number(process.env['RCNN_DISKS'] ?? 6);
const SEED = process.env['RCNN_SEED'] ?? '1';
const ALONE = ['-rm', '--propagation', 'private'];

const folder = mkdtempSync(join(tmpdir(), 'full-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mayMount =
  process.platform === 'linux' &&
  spawnSync('unshare', [...ALONE, 'mount', '-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' }).status === 0;

const NEEDS = { meta: { whySkipped: 'needs Linux that lets this user mount a disk in a namespace of its own' } };
test.runIf(mayMount)(
  `${DISKS} disks full at a random byte: the last checkpoint is whole, and the run goes on`,
  NEEDS,
  () => {
    const script = fileURLToPath(new URL('full-disk-process.ts', import.meta.url));
    const call = [...ALONE, process.execPath, '--import', 'tsx', script, folder, String(DISKS), SEED];
    const { status, stdout, stderr } = spawnSync('unshare', call, { encoding: 'utf8', maxBuffer: 2 ** 26 });
    expect(status === 0 ? '' : stderr).toBe('');
    const disks = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { readonly failed: boolean });
    expect(disks).toHaveLength(DISKS);
    expect(disks.filter(({ failed }) => failed).length).toBeGreaterThan(DISKS / 2); // it did get full
    const good = { whole: true, locked: false, lost: 0, sameBits: true, gaps: '', left: [] };
    for (const [number, disk] of disks.entries()) {
      expect({ number, ...disk }).toEqual({ number, failed: disk.failed, ...good });
    }
    if (process.env['RCNN_DISKS'] !== undefined)
      console.log(`${DISKS} disks, ${disks.filter(({ failed }) => failed).length} became full`);
  },
);
