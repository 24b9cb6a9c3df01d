import { defineConfig } from 'vitest/config';

/** One configuration for every package: each runs it with its own folder as root. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.browser.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Native engines own thread pools; a process each keeps them apart. Two are enough for two cores.
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
