// Where this machine has a Chromium, for tests and benchmarks that use a real one.
import { existsSync } from 'node:fs';

const places = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** What to do where {@link findChromium} finds none. */
export const NO_CHROMIUM = 'Chromium is needed (Debian: apt-get install chromium), or CHROMIUM_PATH';

/** Its program; undefined where there is none. */
export function findChromium() {
  return places.find((path) => path !== undefined && existsSync(path));
}
