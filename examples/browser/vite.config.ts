import { defineConfig } from 'vite';

export default defineConfig({
  base: './', // the page works from any folder
  build: { outDir: 'dist/page', target: 'es2022', chunkSizeWarningLimit: 1000 },
});
