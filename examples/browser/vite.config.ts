import { defineConfig } from 'vite';

/** A page that is isolated by these may compute in several threads; a server of yours sends them too. */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  base: './', // the page works from any folder
  server: { headers: ISOLATED },
  preview: { headers: ISOLATED },
  build: { outDir: 'dist/page', target: 'es2022', chunkSizeWarningLimit: 1000 },
});
