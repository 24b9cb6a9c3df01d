import { defineConfig } from 'vitest/config';

/** Runs `*.browser.test.ts`: Node, which looks at the site's pages in a real Chromium. */
export default defineConfig({
  test: { include: ['test/*.browser.test.ts'], testTimeout: 300_000, hookTimeout: 300_000, pool: 'forks' },
});
