// Runs the browser tests where there is a Chromium, and says so where there is none.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const places = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const browser = places.find((path) => path !== undefined && existsSync(path));
if (browser === undefined) {
  console.log('SKIPPED: browser tests need Chromium (Debian: apt-get install chromium) or CHROMIUM_PATH.');
  process.exit(0);
}
const { status } = spawnSync('vitest', ['run', '--config', 'vitest.browser.config.ts'], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { ...process.env, CHROMIUM_PATH: browser },
});
process.exit(status ?? 1);
