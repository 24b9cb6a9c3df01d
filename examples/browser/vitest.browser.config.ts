import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

/** WebGPU and WebGL on SwiftShader, Chromium's driver for machines without a GPU. */
const SOFTWARE_GPU = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-unsafe-swiftshader',
  '--enable-features=Vulkan',
];

/**
 * Runs `*.browser.test.ts` with a real Chromium, which `tools/shared/run-browser.mjs` finds: those in `test/` run inside
 * it, those in `test/page/` in Node, from where they use the built page as a person would.
 */
export default defineConfig({
  test: {
    projects: [
      {
        // Vite finds these only when a page asks for them, and would load the page anew in the middle of a test.
        optimizeDeps: {
          include: [
            '@preact/signals',
            '@rcnn/visualize > d3-contour',
            'preact',
            'preact/hooks',
            'preact/jsx-dev-runtime',
            'uplot',
          ],
        },
        test: {
          name: 'inside',
          include: ['test/*.browser.test.ts'],
          testTimeout: 300_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
                args: SOFTWARE_GPU,
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'page',
          include: ['test/page/*.browser.test.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
          pool: 'forks',
        },
      },
    ],
  },
});
