import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

/** Runs `*.browser.test.ts` in a real Chromium; `tools/shared/run-browser.mjs` finds it and starts this. */
export default defineConfig({
  test: {
    include: ['test/**/*.browser.test.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: { executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
