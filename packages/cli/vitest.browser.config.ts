import { defineConfig } from 'vitest/config';

/** Runs `*.browser.test.ts`: Node, which starts the studio and drives a real Chromium as a person would. */
export default defineConfig({
  test: {
    include: ['test/**/*.browser.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 1,
  },
});
