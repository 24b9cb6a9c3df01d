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

/** Runs `*.browser.test.ts` in a real Chromium; `tools/shared/run-browser.mjs` finds it and starts this. */
export default defineConfig({
  test: {
    include: ['test/**/*.browser.test.ts'],
    testTimeout: 300_000,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: { executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args: SOFTWARE_GPU },
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
