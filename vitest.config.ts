import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const PATIENCE = Number(process.env['RCNN_PATIENCE'] ?? 30) * 60_000;

/** One configuration for every package: each runs it with its own folder as root. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.browser.test.ts'],
    // Only a test that hangs runs into this. No test may depend on how fast the machine is, so none has a limit of its
    // own; the long runs by hand (RCNN_STOPS, RCNN_KILLS, RCNN_SAMPLES) set RCNN_PATIENCE in minutes, 0 for no limit.
    testTimeout: PATIENCE,
    hookTimeout: PATIENCE,
    setupFiles: [fileURLToPath(new URL('tools/shared/test-setup.ts', import.meta.url))],
    // Native engines own thread pools; a process each keeps them apart. Two are enough for two cores.
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
