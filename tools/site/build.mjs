// The site, from the pages of docs/, the READMEs and the built packages: node tools/site/build.mjs [--preview]
// `npm run docs` installs and builds what this needs.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, serve } from 'vitepress';
import { writeApi } from './api.mjs';
import { stagePages } from './stage.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const site = fileURLToPath(new URL('.', import.meta.url));
const pages = fileURLToPath(new URL('pages', import.meta.url));

rmSync(pages, { recursive: true, force: true });
const count = stagePages(root, pages);
console.log(`${count} pages, every link and anchor of which leads somewhere.`);
const modules = await writeApi(root, pages);
console.log(`The API of ${modules} entry points.`);
await build(site); // ends with an error at a dead link
console.log('The site is in tools/site/dist: static pages, for any web server.');
if (process.argv.includes('--preview')) await serve({ root: site });
