import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the page's policy lets nothing load from addresses that hold their data
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' }, // of what is bundled, which installs nothing
  },
});
