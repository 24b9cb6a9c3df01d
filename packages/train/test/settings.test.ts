import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseConfig, resolveConfig } from '../src/config/resolve.ts';
import { RunFolder } from '../src/files/folder.ts';
import { writeSettings } from '../src/run/settings.ts';

const root = mkdtempSync(join(tmpdir(), 'settings-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each(['n', 'no', 'on', '012', '12:30', '1e3', '~'])('a run on the folder %s can be gone on with', async (data) => {
  const folder = RunFolder.create(root, `of ${data.replace(':', ' ')}`);
  await writeSettings(folder, resolveConfig({ data }), false);
  expect(parseConfig(readFileSync(folder.config, 'utf8'), folder.config).data).toBe(data);
});
