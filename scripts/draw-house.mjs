// Writes the drawing of docs/architecture.md anew, from the imports. tools/workspace compares them.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const code =
  "const { drawing } = await import('./tools/workspace/test/drawing.ts');" +
  "const { packages } = await import('./tools/workspace/test/house.ts');" +
  'process.stdout.write(drawing(packages()));';
const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
if (status !== 0) {
  console.error(stderr);
  process.exit(1);
}
const file = new URL('../docs/architecture.md', import.meta.url);
const page = readFileSync(file, 'utf8');
writeFileSync(
  file,
  page.replace(/```mermaid\n[\s\S]*?```/, () => `\`\`\`mermaid\n${stdout}\`\`\``),
);
