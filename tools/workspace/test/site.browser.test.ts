import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultsOf, listenTo } from '@rcnn/shared/page-checks';
import { type Browser, chromium } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';

// Looks at the site as `npm run docs` has made it: on a desk, a phone and a turned phone, in light and in dark colors.
// SITE_SCREENSHOTS names a folder for the pictures.
const SITE = fileURLToPath(new URL('../../site/dist', import.meta.url));
const built = existsSync(join(SITE, 'index.html'));

/** One page of each kind: the first, guides, long tables, drawings, pictures, READMEs, lists, the API. */
const PAGES = [
  'index.html',
  'quick-start.html',
  'commands.html',
  'architecture.html',
  'family.html',
  'gallery.html',
  'how-it-works.html',
  'packages/index.html',
  'packages/roi-align.html',
  'examples/index.html',
  'api/index.html',
];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

let server: Server;
let browser: Browser;
beforeAll(async () => {
  server = createServer(({ url = '/' }, response) => {
    const file = join(SITE, new URL(url, 'http://site').pathname);
    const known = existsSync(file);
    response.writeHead(known ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
    response.end(known ? readFileSync(file) : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
});
afterAll(async () => {
  await browser.close();
  server.close();
});

const NEEDS = { meta: { whySkipped: 'needs the site: npm run docs' } };
test.runIf(built).each(PAGES)(
  '%s says nothing on the console and has no fault that axe-core calls serious',
  NEEDS,
  async (name) => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    listenTo(page, complaints);
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/${name}`, { waitUntil: 'networkidle' });
    expect(await faultsOf(page, name.replaceAll('/', '-'), process.env['SITE_SCREENSHOTS'])).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  },
);
