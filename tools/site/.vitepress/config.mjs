import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { slugOf } from '../../../scripts/page-links.mjs';
import { drawn } from '../graphs.mjs';
import { ordered, sidebar } from '../order.mjs';
import { REPOSITORY } from '../stage.mjs';

const pages = fileURLToPath(new URL('../pages', import.meta.url));

const lost = readdirSync(pages)
  .filter((file) => file.endsWith('.md') && file !== 'index.md')
  .filter((file) => !ordered.includes(file.replace('.md', '')));
if (lost.length > 0) throw new Error(`order.mjs has no place for ${lost.join(', ')}`);

export default {
  title: 'Mask R-CNN for TypeScript',
  description: 'Train, evaluate and run instance segmentation in Node and in the browser.',
  lang: 'en-US',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: 'cache',
  base: process.env.DOCS_BASE ?? '/',
  cleanUrls: false,
  ignoreDeadLinks: false,
  metaChunk: true,
  head: [['link', { rel: 'icon', href: `${process.env.DOCS_BASE ?? '/'}icon.svg`, type: 'image/svg+xml' }]],
  vite: { build: { chunkSizeWarningLimit: 20_000 } },
  markdown: {
    anchor: { slugify: slugOf },
    // The plain themes of the same name are too pale on the background of code: 4.5 to 1 is what WCAG asks.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      const fence = md.renderer.rules.fence;
      md.renderer.rules.fence = (tokens, at, ...rest) =>
        tokens[at].info.trim() === 'mermaid' ? drawn(tokens[at].content) : fence(tokens, at, ...rest);
    },
  },
  themeConfig: {
    nav: [
      { text: 'Quick start', link: '/quick-start' },
      { text: 'Your own objects', link: '/fine-tune' },
      { text: 'Commands', link: '/commands' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: sidebar(pages),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    footer: { message: 'MIT licence. Nothing on these pages is fetched from elsewhere, and nobody is counted.' },
  },
};
