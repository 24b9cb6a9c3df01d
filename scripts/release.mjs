// Publishes what changed: npm run release
// Everything that .ci/run asks for must hold first, on a clean tree. Each package carries npm's provenance when this runs
// in a workflow that may sign, and a software bill of materials of the whole workspace is left beside the tarballs.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function must(program, args, options = {}) {
  const { status, stdout } = spawnSync(program, args, { cwd: root, stdio: 'inherit', encoding: 'utf8', ...options });
  if (status !== 0) {
    console.error(`'${program} ${args.join(' ')}' ended with status ${status}; nothing was published.`);
    process.exit(1);
  }
  return stdout;
}

const changes = must('git', ['status', '--porcelain'], { stdio: ['ignore', 'pipe', 'inherit'] });
if (changes !== '') {
  console.error(`The tree is not clean; commit or put away:\n${changes}`);
  process.exit(1);
}
must('bash', ['.ci/run']);
const bill = must('npx', ['-y', 'pnpm', 'sbom', '--sbom-format', 'cyclonedx', '--prod'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 2 ** 28,
});
mkdirSync(join(root, 'bench-results'), { recursive: true });
writeFileSync(join(root, 'bench-results', 'sbom.cdx.json'), bill);
must('npx', ['changeset', 'publish'], { env: { ...process.env, NPM_CONFIG_PROVENANCE: 'true' } });
