// Runs the browser tests where there is a Chromium, and says so where there is none.
import { spawnSync } from 'node:child_process';
import { findChromium, NO_CHROMIUM } from './chromium.mjs';

const browser = findChromium();
if (browser === undefined) {
  console.log(`SKIPPED: browser tests do not run. ${NO_CHROMIUM}.`);
  process.exit(0);
}
const { status } = spawnSync('vitest', ['run', '--config', 'vitest.browser.config.ts'], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: { ...process.env, CHROMIUM_PATH: browser },
});
process.exit(status ?? 1);
