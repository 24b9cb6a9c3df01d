import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { demo } from '../src/demo.ts';

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'demo-'));
});
afterAll(() => rmSync(out, { recursive: true }));

test('draws, trains, measures and says where everything is', async () => {
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  const options = { out, epochs: 1, engine: 'onnxruntime', pictures: { train: 8, val: 2 } };
  try {
    expect(await demo(options)).toBe(0);
    expect(printed.join('')).toMatch(/Drawing 8 pictures[\s\S]*masks +boxes[\s\S]*AP50[\s\S]*report\.html/);
  } finally {
    write.mockRestore();
  }
  for (const file of [
    'report.html',
    'results.csv',
    'pictures/validation.png',
    'pictures/panels_0.png',
    'checkpoints/last.safetensors',
  ]) {
    expect(existsSync(join(out, 'demo', file)) ? file : 'missing').toBe(file);
  }
  const report = readFileSync(join(out, 'demo', 'report.html'), 'utf8');
  expect(report).toContain('<svg');
  expect(report).not.toMatch(/<script|src="http|href="http/); // one file, nothing fetched
});
