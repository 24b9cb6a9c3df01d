import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faultsOf, listenTo } from '@rcnn/shared/page-checks';
import { type Browser, chromium, type Page } from 'playwright';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certainWeights } from './certain-weights.ts';

// The built page, served as plain files, in a real Chromium: find first, then teach. PAGE_SCREENSHOTS=folder keeps
// pictures of every part.

const folder = mkdtempSync(join(tmpdir(), 'page-'));
const root = fileURLToPath(new URL('../..', import.meta.url));

let server: PreviewServer;
let browser: Browser;
let page: Page;
const complaints: string[] = [];

/** What Chromium says by itself whenever a page asks for a GPU and there is none: not a word of the page. */
const NO_GPU = 'warning: No available adapters.';

/** The page said nothing, and asked for a GPU no more often than engines were chosen. */
function expectQuiet(engines: number): void {
  expect(complaints.filter((text) => text !== NO_GPU)).toEqual([]);
  expect(complaints.length).toBeLessThanOrEqual(engines);
}

beforeAll(async () => {
  await build({ root, logLevel: 'warn' });
  server = await preview({ root, preview: { host: '127.0.0.1', port: 0 }, logLevel: 'warn' });
  writeFileSync(join(folder, 'certain.safetensors'), await certainWeights());
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      '--enable-unsafe-swiftshader',
    ],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(Number(process.env['PAGE_PATIENCE'] ?? 600) * 1000);
  for (const [name, file] of [
    ['balloons.png', 'balloons.png'],
    ['other.safetensors', 'certain.safetensors'],
  ] as const)
    await context.route(`**/elsewhere/${name}`, (route) => route.fulfill({ path: join(folder, file) }));
  page = await context.newPage();
  listenTo(page, complaints);
});

afterAll(async () => {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function look(name: string): Promise<void> {
  expect(await faultsOf(page, name, process.env['PAGE_SCREENSHOTS'])).toEqual([]);
}

/** A picture of a few balloons, as PNG; drawn by the browser itself. */
async function picture(
  name: string,
  balloons: readonly (readonly [x: number, y: number])[],
  [width, height]: readonly [number, number] = [160, 120],
): Promise<string> {
  const data = await page.evaluate(
    async ({ places, size: [across, down] }) => {
      const canvas = new OffscreenCanvas(across, down);
      const context = canvas.getContext('2d')!;
      context.fillStyle = '#9cc4e4';
      context.fillRect(0, 0, across, down);
      for (const [i, [x, y]] of places.entries()) {
        context.fillStyle = ['#d1344b', '#e6a100', '#3a7d44'][i % 3]!;
        context.beginPath();
        context.arc(x, y, 18, 0, 7);
        context.fill();
      }
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
    },
    { places: balloons, size: [width, height] } as const,
  );
  const path = join(folder, name);
  writeFileSync(path, Uint8Array.from(data));
  return path;
}

const status = () => page.getByRole('status');
/** A picture that stands or lies is shown, with what was found in it. */
const looked = (how: 'standing' | 'lying') =>
  page.locator(`figure[aria-busy="false"] canvas[${how === 'lying' ? 'width' : 'height'}="960"]`).waitFor();

const found = () => page.getByText(/^\d+ × balloon$/);

/** Hands a file to the page as a drop or a paste does. */
async function hand(kind: 'drop' | 'paste', path: string, name: string): Promise<void> {
  const bytes = [...readFileSync(path)];
  await page.evaluate(
    ([as, data, called]) => {
      const files = new DataTransfer();
      files.items.add(new File([Uint8Array.from(data)], called, { type: called.endsWith('png') ? 'image/png' : '' }));
      window.dispatchEvent(
        as === 'drop'
          ? new DragEvent('drop', { dataTransfer: files, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: files, cancelable: true }),
      );
    },
    [kind, bytes, name] as const,
  );
}

test('finds objects, learns in the tab, and finds with what it learned', async () => {
  const [{ url }] = [{ url: server.resolvedUrls!.local[0]! }];
  await page.goto(url);
  await page.getByRole('heading', { name: 'Find objects in a picture' }).waitFor();
  await look('1-find');
  const photo = await picture('balloons.png', [
    [40, 40],
    [110, 70],
  ]);

  // From files: the names of the classes come with the weights, and a GPU that is none is passed by.
  await page.getByLabel('Choose a picture').setInputFiles(photo);
  await status().getByText('Now choose weights').waitFor();
  await page.getByLabel('Choose a file').setInputFiles(join(folder, 'certain.safetensors'));
  await found().waitFor();
  await status()
    .getByText(/^certain\.safetensors: \d+\.\d\d s on onnxruntime-web \(CPU, \d+ threads?\)\.$/)
    .waitFor();
  await page.getByRole('slider').fill('0.95');
  await page.getByText('Nothing found from this score on.', { exact: true }).waitFor();
  await page.getByRole('slider').fill('0.5');
  await found().waitFor();
  await look('2-found');

  // Every other way in, with pictures that stand and lie in turns.
  const standing = await picture('standing.png', [[60, 60]], [120, 160]);
  await hand('drop', standing, 'standing.png');
  await looked('standing');
  await hand('paste', photo, 'lying.png');
  await looked('lying');
  await page.getByLabel('Choose a picture').setInputFiles(standing);
  await looked('standing');
  await page.getByLabel('Address of a picture').fill('elsewhere/balloons.png');
  await page.getByRole('button', { name: 'Go' }).last().click();
  await looked('lying');
  await page.getByLabel('Address of weights').fill('elsewhere/other.safetensors');
  await page.getByRole('button', { name: 'Go' }).first().click();
  await status()
    .getByText(/^other\.safetensors: .* s on onnxruntime-web/)
    .waitFor();
  await found().waitFor();
  await page.getByLabel('Choose a picture').setInputFiles(standing);
  await looked('standing');
  await page.getByRole('button', { name: 'Camera' }).click();
  await page.getByRole('button', { name: 'Camera', pressed: true }).waitFor();
  await page.locator('figure canvas[width="960"][height="720"]').waitFor(); // the fake camera's picture lies
  await page.getByRole('button', { name: 'Camera' }).click();
  await page.getByRole('button', { name: 'Camera', pressed: false }).waitFor();
  await page.locator('figure[aria-busy="false"]').waitFor();

  // An engine that is named computes alone, and finds the same.
  await page.getByLabel('Engine').selectOption('wasm');
  await page.getByLabel('Choose a picture').setInputFiles(photo);
  await status()
    .getByText(/^other\.safetensors: .* s on wasm \(CPU\)\.$/)
    .waitFor();
  await found().waitFor();
  await page.getByLabel('Engine').selectOption('auto');

  // What cannot be used is said.
  await hand('drop', photo, 'notes.txt');
  await status().getByText('notes.txt is neither a picture nor weights.').waitFor();
  expectQuiet(1);

  // Teach it on pictures that are dropped.
  await page.getByRole('link', { name: 'Teach' }).click();
  await page.getByRole('heading', { name: 'Teach a small network' }).waitFor();
  await page.getByLabel('Choose pictures and annotations').setInputFiles(photo);
  await status()
    .getByText(/pictures and one \.json file of their annotations are needed/)
    .waitFor();
  await page.getByLabel('Choose pictures and annotations').setInputFiles(await ownFiles('via'));
  await page.getByText(/^2 pictures with 3 objects \(kite\)/).waitFor();
  await page.getByLabel('Choose pictures and annotations').setInputFiles(await ownFiles('coco'));
  await page.getByText(/^2 pictures with 3 objects \(balloon\); too few to set any aside/).waitFor();
  await look('3-teach');
  await page.getByLabel('Engine').selectOption('webgl');
  await page.getByLabel('Steps').fill('1000');
  await page.getByLabel('Pictures per step').fill('1');
  await page.getByLabel('Longer side').fill('64');
  await page.getByRole('button', { name: 'Start' }).click();
  await status()
    .getByText(/^Step \d+ of 1000 on webgl \(.*SwiftShader.*\): loss \d/)
    .waitFor();
  await page.getByRole('button', { name: 'Stop' }).click(); // it is measured and kept all the same
  await status()
    .getByText(/^Done on webgl/)
    .waitFor();
  await page.getByRole('img', { name: 'Loss by step' }).locator('canvas').waitFor();
  await page.getByRole('row', { name: /^masks \d\.\d{3}/ }).waitFor();
  expect(await page.getByRole('img', { name: 'What is there' }).count()).toBe(2);
  await look('4-taught');
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save the weights' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('learned.safetensors');
  expect(readFileSync(await download.path()).length).toBeGreaterThan(1e6);

  // What was learned finds.
  await page.getByLabel('Engine').selectOption('auto');
  await page.getByRole('link', { name: 'Find' }).click();
  await page.getByText('what was learned in this tab', { exact: true }).waitFor();
  await page.getByLabel('Choose a picture').setInputFiles(photo);
  await status()
    .getByText(/^what was learned in this tab: .* s on onnxruntime-web/)
    .waitFor();
  expectQuiet(2);
});

test('finds without graphs where their programs do not come, and says why', async () => {
  const other = await page.context().newPage();
  await other.route('**/ort-wasm-*.wasm', (route) => route.fulfill({ status: 404 }));
  await other.goto(server.resolvedUrls!.local[0]!);
  await other.getByLabel('Choose a file').setInputFiles(join(folder, 'certain.safetensors'));
  await other.getByLabel('Choose a picture').setInputFiles(join(folder, 'balloons.png'));
  await other
    .getByRole('status')
    .getByText(/^certain\.safetensors: .* s on wasm \(CPU\), as onnxruntime-web cannot be used: .*does not start/)
    .waitFor();
  await other.getByText(/^\d+ × balloon$/).waitFor();
  await other.close();
});

/** Two pictures and their outlines: of balloons as the studio writes them, of kites as VIA saves its project. */
async function ownFiles(format: 'coco' | 'via'): Promise<string[]> {
  const places = [
    [[50, 50]],
    [
      [30, 60],
      [110, 60],
    ],
  ] as const;
  const json = join(folder, format === 'coco' ? 'instances_train.json' : 'via_project.json');
  writeFileSync(json, JSON.stringify(format === 'coco' ? asCoco(places) : asVia(places)));
  const pictures = await Promise.all(places.map((balloons, i) => picture(`own-${i}.png`, balloons)));
  return [...pictures, json];
}

type Places = readonly (readonly (readonly [x: number, y: number])[])[];

/** Corners of what looks like a disc around a place, as x and y. */
function corners([x, y]: readonly [number, number]): readonly (readonly [number, number])[] {
  return Array.from({ length: 16 }, (_, k) => [x + 18 * Math.cos(k / 2.55), y + 18 * Math.sin(k / 2.55)] as const);
}

function asCoco(places: Places): unknown {
  const images = places.map((_, i) => ({ id: i + 1, file_name: `images/own-${i}.png`, width: 160, height: 120 }));
  const annotations = places.flatMap((balloons, i) =>
    balloons.map(([x, y], j) => ({
      id: 10 * i + j + 1,
      image_id: i + 1,
      category_id: 1,
      iscrowd: 0,
      area: 1000,
      bbox: [x - 18, y - 18, 36, 36],
      segmentation: [corners([x, y]).flat()],
    })),
  );
  return { images, annotations, categories: [{ id: 1, name: 'balloon' }] };
}

function asVia(places: Places): unknown {
  const pictures = places.map((kites, i) => {
    const regions = kites.map((place) => ({
      shape_attributes: {
        name: 'polygon',
        all_points_x: corners(place).map(([x]) => Math.round(x)),
        all_points_y: corners(place).map(([, y]) => Math.round(y)),
      },
      region_attributes: { class: 'kite' },
    }));
    return [`own-${i}.png-1`, { filename: `own-${i}.png`, size: 1, regions, file_attributes: {} }] as const;
  });
  return { _via_img_metadata: Object.fromEntries(pictures), _via_attributes: { region: { class: {} }, file: {} } };
}
