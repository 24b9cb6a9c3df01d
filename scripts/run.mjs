// The README's commands on a bare machine: node and npm are all they need.
// Installs what is missing, builds what changed, then runs. Safe to interrupt and to repeat.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [command, ...args] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const stamp = join(root, 'node_modules', '.rcnn-install');

function say(text) {
  process.stderr.write(`\u203a ${text}\n`);
}

function run(program, parameters, { quiet = false } = {}) {
  const bins = join(root, 'node_modules', '.bin');
  const { status, signal, error, stdout, stderr } = spawnSync(program, parameters, {
    cwd: root,
    stdio: quiet ? 'pipe' : 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, PATH: `${bins}${delimiter}${process.env.PATH}`, TURBO_TELEMETRY_DISABLED: '1' },
  });
  if (error) throw error;
  if (signal) process.exit(130);
  if (status !== 0 && quiet) process.stderr.write(`${stdout}${stderr}`);
  return status ?? 1;
}

function must(program, parameters, options) {
  const status = run(program, parameters, options);
  if (status !== 0) {
    say(`'${program} ${parameters.join(' ')}' ended with status ${status}; the lines above say why.`);
    process.exit(status);
  }
}

/** Every package, example and tool that is there, as `packages/core`. */
function members() {
  return ['packages', 'examples', 'tools'].flatMap((folder) => {
    if (!existsSync(join(root, folder))) return [];
    return readdirSync(join(root, folder))
      .sort()
      .map((name) => join(folder, name))
      .filter((member) => existsSync(join(root, member, 'package.json')));
  });
}

/** What the installed modules were made from: they are current exactly when this has not changed. */
function wanted() {
  const hash = createHash('sha256');
  hash.update(process.version.split('.')[0]).update(process.platform).update(process.arch);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const member of members()) files.push(join(member, 'package.json'));
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function install() {
  const now = wanted();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  say(`Installing packages with ${manifest.packageManager} (the first time takes about a minute) …`);
  rmSync(stamp, { force: true }); // an interrupted install is begun again
  must('npx', ['-y', manifest.packageManager, 'install', '--frozen-lockfile']);
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(stamp, now);
}

function turbo(...parameters) {
  // npx puts the pinned pnpm on PATH, which turbo asks for; it is in npm's cache from the install.
  return ['npx', ['-y', '-p', manifest.packageManager, 'turbo', 'run', ...parameters]];
}

function build() {
  say('Building (unchanged packages come from the cache) …');
  must(...turbo('build', '--output-logs=errors-only', '--log-order=grouped'));
}

/** Names what was skipped, and why: what the machine lacks, or the variable that asks for more. */
function listSkips(skips) {
  if (skips.size === 0) return;
  console.log('Skipped:');
  for (const [title, count] of skips) console.log(`  ${count} × ${title}`);
}

function firstLine(text = '') {
  return text.trim().split('\n', 1)[0].slice(0, 300);
}

/** Names what failed, so that the end of a long log says it. */
function listFailures(failures) {
  if (failures.length === 0) return;
  console.log('Failed:');
  for (const { place, reason } of failures) console.log(`  ${place}\n    ${reason}`);
}

/** Adds up the result file that every package's tests left, so that a cached run counts too. */
function countTests() {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const skips = new Map();
  const failures = [];
  for (const member of members()) {
    const file = join(root, member, 'test-results.json');
    if (!existsSync(file)) continue;
    const result = JSON.parse(readFileSync(file, 'utf8'));
    passed += result.numPassedTests;
    failed += result.numFailedTests;
    for (const suite of result.testResults) {
      const test = join(member, relative(join(root, member), suite.name));
      for (const { status, ancestorTitles, title, failureMessages, meta } of suite.assertionResults) {
        if (status === 'failed') {
          const place = [test, ...ancestorTitles, title].join(' › ');
          failures.push({ place, reason: firstLine(failureMessages?.[0]) });
        }
        if (status === 'passed' || status === 'failed') continue;
        if (meta?.whySkipped === undefined) {
          failed++;
          const reason = firstLine(suite.message) || 'skipped, and meta.whySkipped of the test does not say why';
          failures.push({ place: [test, ...ancestorTitles, title].join(' › '), reason });
          continue;
        }
        skipped++;
        const group = `${basename(member)}: ${ancestorTitles[0] || title}: ${meta.whySkipped}`;
        skips.set(group, (skips.get(group) ?? 0) + 1);
      }
      // A file that cannot even be loaded has no failed test of its own.
      if (suite.status === 'failed' && suite.assertionResults.length === 0) {
        failed++;
        failures.push({ place: test, reason: firstLine(suite.message) });
      }
    }
  }
  return { passed, failed, skipped, skips, failures };
}

const commands = {
  install,
  build() {
    install();
    build();
  },
  test() {
    install();
    say('Building and running every test (unchanged packages come from the cache) …');
    const status = run(
      ...turbo('test', '--continue', '--concurrency=2', '--output-logs=new-only', '--log-order=grouped', ...args),
    );
    const { passed, failed, skipped, skips, failures } = countTests();
    listSkips(skips);
    listFailures(failures);
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    process.exit(failed > 0 ? 1 : status);
  },
  demo() {
    install();
    build();
    process.exit(run(process.execPath, [join(root, 'examples', 'demo', 'dist', 'main.js'), ...args]));
  },
  bench() {
    install();
    build();
    const [name, ...rest] = args.filter((arg) => arg !== '--');
    const found = new Map();
    for (const member of members()) {
      const folder = join(root, member, 'bench');
      if (!existsSync(folder)) continue;
      for (const file of readdirSync(folder)) {
        if (file.endsWith('.bench.ts')) found.set(file.slice(0, -'.bench.ts'.length), join(folder, file));
      }
    }
    if (name === 'all') process.exit(run(process.execPath, [join(root, 'scripts', 'bench-all.mjs'), ...rest]));
    const file = found.get(name);
    if (file === undefined) {
      say(`Which benchmark? npm run bench -- <${['all', ...found.keys()].sort().join(' | ')}> [options]`);
      process.exit(2);
    }
    process.exit(run(process.execPath, ['--expose-gc', '--import', 'tsx', file, ...rest]));
  },
  fuzz() {
    install();
    build();
    const main = join(root, 'tools', 'fuzz', 'src', 'main.ts');
    process.exit(run(process.execPath, ['--import', 'tsx', main, ...args.filter((arg) => arg !== '--')]));
  },
  docs() {
    install();
    build();
    const site = join(root, 'tools', 'site');
    say('Installing what makes the site …');
    must('npx', ['-y', manifest.packageManager, '--dir', site, 'install', '--frozen-lockfile']);
    process.exit(run(process.execPath, [join(site, 'build.mjs'), ...args.filter((arg) => arg !== '--')]));
  },
  check() {
    install();
    for (const script of ['format:check', 'lint', 'typecheck']) must('npm', ['run', '--silent', script]);
  },
};

if (!Object.hasOwn(commands, command)) {
  say(`unknown command '${command}'; one of ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
commands[command]();
