import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset } from '@rcnn/coco-data/node';
import { faultsOf, listenTo } from '@rcnn/shared/page-checks';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { saveCertainModel } from './support/certain-model.ts';
import { type Photograph, photograph, type RunningStudio, startStudio, until } from './support/studio.ts';

// A person, a real Chromium, the real program: from eight photographs without an outline to a trained model.
// STUDIO_SCREENSHOTS=folder keeps pictures of every part. What the page says for a few seconds is not waited for: on a
// busy machine it is gone before anybody looks.

const root = mkdtempSync(join(tmpdir(), 'studio-browser-'));
const [data, runs, weights] = [join(root, 'balloons'), join(root, 'runs'), join(root, 'certain.safetensors')];

let browser: Browser;
let context: BrowserContext;
let page: Page;
let studio: RunningStudio;
/** What the browser complained of, and requests that went elsewhere. */
const complaints: string[] = [];

beforeAll(async () => {
  await saveCertainModel(weights, ['circle', 'square']);
  const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] }); // biome-ignore format: one line
  context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(Number(process.env['STUDIO_PATIENCE'] ?? 300) * 1000);
  page = await newPage();
});

afterAll(async () => {
  await browser.close();
  studio.process.kill('SIGTERM');
  await studio.ended;
  rmSync(root, { recursive: true, force: true });
});

async function newPage(): Promise<Page> {
  const opened = await context.newPage();
  listenTo(opened, complaints);
  return opened;
}

const start = (port = 0) => startStudio(data, runs, { port, weights });

async function look(name: string): Promise<void> {
  expect(await faultsOf(page, name, process.env['STUDIO_SCREENSHOTS'])).toEqual([]);
}

/** Clicks around an object, the last corner twice. */
async function draw({ size: [height, width] }: Photograph, corners: Photograph['objects'][number]['corners']) {
  const box = (await page.locator('.sheet img').boundingBox())!;
  for (const [i, [x, y]] of corners.entries()) {
    const at = [box.x + (x / width) * box.width, box.y + (y / height) * box.height] as const;
    await page.mouse.move(...at);
    if (i < corners.length - 1) await page.mouse.click(...at);
    else await page.mouse.dblclick(...at);
  }
}

const objectsPanel = () => page.getByRole('region', { name: 'Objects', exact: true }).getByRole('listitem');
const allSaved = () => page.getByText('All saved').waitFor();

async function outlineAll(photo: Photograph, classes: string[]): Promise<void> {
  let count = 0;
  for (const { shape, corners } of photo.objects) {
    await page.keyboard.press('Escape'); // a class that is chosen changes the outline that is
    if (!classes.includes(shape)) {
      await page.getByLabel('Name of a new class').fill(shape);
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.getByRole('button', { name: `Rename ${shape}` }).waitFor();
      classes.push(shape);
    }
    await page.keyboard.press(String(classes.indexOf(shape) + 1));
    await page.keyboard.press('d');
    await draw(photo, corners);
    await until(async () => (await objectsPanel().count()) === count + 1);
    count++;
    await page.keyboard.press('d');
  }
  await allSaved();
}

interface Kept {
  readonly images: { readonly id: number; readonly file_name: string }[];
  readonly annotations: {
    readonly category_id: number;
    readonly segmentation: number[][];
    readonly image_id: number;
    readonly area: number;
  }[];
}

/** What is on the disk now. */
function kept(): Kept {
  return JSON.parse(readFileSync(join(data, 'annotations', 'instances_train.json'), 'utf8'));
}

const annotations = (): Kept['annotations'] => kept().annotations;

function objectsOf(file: string): number {
  const { images, annotations: all } = kept();
  const { id } = images.find(({ file_name }) => file_name === file)!;
  return all.filter(({ image_id }) => image_id === id).length;
}

test('from eight photographs to a trained model', async () => {
  const photographs = await Promise.all(Array.from({ length: 9 }, (_, i) => photograph(i)));
  const files = photographs.map(({ name, bytes }) => {
    const file = join(root, name);
    writeFileSync(file, bytes);
    return file;
  });
  studio = await start();

  // Photographs.
  await page.goto(studio.address);
  await page.getByRole('heading', { name: 'Drop photographs here' }).waitFor();
  expect(page.url()).not.toContain('token');
  await look('1-welcome');
  writeFileSync(join(root, 'notes.png'), 'no picture');
  await page.getByLabel('Add photographs').setInputFiles([...files.slice(0, 8), join(root, 'notes.png')]);
  await page.getByText(/1 of 9 could not be used.*notes\.png/).waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 400')]); // the browser's own word of it

  // Outlines, by mouse and keys.
  const classes: string[] = [];
  await page.getByRole('link', { name: /^photo-1\.png/ }).click();
  for (const photo of photographs.slice(0, 4)) {
    await page.getByRole('heading', { name: photo.name }).waitFor();
    await outlineAll(photo, classes);
    if (photo.name === 'photo-1.png') await editing(photo);
    await page.keyboard.press('n');
  }
  const drawn = annotations().length;
  expect(drawn).toBe(photographs.slice(0, 4).reduce((sum, { objects }) => sum + objects.length, 0));

  // Killed while a picture is open: what is drawn then is kept in the browser, and comes with the next start.
  await page.getByRole('heading', { name: 'photo-5.png' }).waitFor();
  const { port } = new URL(studio.address);
  studio.process.kill('SIGKILL');
  await studio.ended;
  const [first] = photographs[4]!.objects;
  if (!classes.includes(first!.shape)) throw new Error(`the fifth photograph begins with ${first!.shape}`);
  await page.keyboard.press(String(classes.indexOf(first!.shape) + 1));
  await page.keyboard.press('d');
  await draw(photographs[4]!, first!.corners);
  await page.getByRole('heading', { name: 'The studio does not answer' }).waitFor();
  await page.getByText('Not saved').waitFor();
  expect(annotations()).toHaveLength(drawn);
  complaints.length = 0; // the browser says that nobody answers
  studio = await start(Number(port));
  await page.getByRole('heading', { name: 'The studio was started anew' }).waitFor();
  await page.goto(studio.address); // in the same tab, where the address alone changes
  await allSaved();
  expect(annotations()).toHaveLength(drawn + 1);
  expect(page.url()).not.toContain('token');
  await page.getByRole('link', { name: /^photo-5\.png: 1 object/ }).click();
  await page.getByRole('heading', { name: 'photo-5.png' }).waitFor();
  await until(async () => (await objectsPanel().count()) === 1);
  complaints.length = 0; // and that it was refused

  // The same, and the page is closed before the studio comes back.
  studio.process.kill('SIGKILL');
  await studio.ended;
  await objectsPanel().getByRole('button').first().click();
  await page.keyboard.press('Delete');
  await page.getByText('Not saved').waitFor();
  await page.close();
  complaints.length = 0;
  studio = await start(Number(port));
  expect(annotations()).toHaveLength(drawn + 1);
  page = await newPage();
  await page.goto(studio.address);
  await until(() => annotations().length === drawn); // what only the browser knew
  await allSaved();
  await page.reload(); // the cookie alone is enough now
  await page.getByRole('link', { name: /^photo-5\.png: 0 objects/ }).click();
  for (const photo of photographs.slice(4, 8)) {
    await page.getByRole('heading', { name: photo.name }).waitFor();
    await until(async () => (await objectsPanel().count()) === 0);
    await outlineAll(photo, classes);
    await page.keyboard.press('n');
  }
  await look('2-outlines');

  await grid(photographs.slice(0, 8), files[0]!);
  await training();
  await trying(files[8]!);
  await proposals(files[8]!);
  await comparison();

  // What it leaves is a dataset.
  const archive = await downloaded(() => page.getByRole('link', { name: 'Export COCO' }).click());
  expect(archive.bytes.subarray(0, 2).toString()).toBe('PK');
  const train = await openDataset(data, { split: 'train' });
  const val = await openDataset(data, { split: 'val' });
  expect([train.length, val.length]).toEqual([8, 1]);
  for (const [i, { objects }] of photographs.slice(0, 7).entries()) {
    // One that was deleted and brought back is the last of its picture.
    const names = train
      .annotations(i)
      .map(({ categoryId }) => train.classes.nameOf(train.classes.labelOf(categoryId)!));
    expect(names.toSorted()).toEqual(objects.map(({ shape }) => shape).toSorted());
  }
  expect(complaints).toEqual([]);
});

const tiles = () => page.getByRole('list', { name: 'Pictures' }).getByRole('listitem');

async function select(label: string, option: string): Promise<void> {
  await page.getByRole('combobox', { name: label, exact: true }).selectOption(option);
}

/** Filters and orders; a twin that the doctor names is taken out; a picture is set aside to measure on. */
async function grid(photographs: readonly Photograph[], first: string): Promise<void> {
  await page.getByRole('link', { name: 'Pictures' }).first().click();
  await page.getByText('8 of 8 outlined').waitFor();
  await select('Class', 'nothing outlined');
  await page.getByText('No picture is like that.').waitFor();
  await select('Class', 'circle');
  const withCircle = photographs.filter(({ objects }) => objects.some(({ shape }) => shape === 'circle'));
  await until(async () => (await tiles().count()) === withCircle.length);
  await select('Class', 'all');
  const large = new Set(
    annotations().flatMap(({ area, image_id }) => (area >= 32 ** 2 && area < 96 ** 2 ? [image_id] : [])),
  );
  await select('Size', 'medium');
  await until(async () => (await tiles().count()) === large.size);
  await select('Size', 'all');
  await select('Order', 'most objects first');
  const most = Math.max(...photographs.map(({ objects }) => objects.length));
  await tiles()
    .first()
    .getByRole('link', { name: `: ${most} objects.` })
    .waitFor();
  await select('Order', 'as they came');

  const twin = join(root, 'twin.png');
  writeFileSync(twin, readFileSync(first));
  await page.getByLabel('Add photographs').setInputFiles(twin);
  await until(async () => (await page.getByRole('combobox', { name: 'Problem' }).locator('option').count()) > 3);
  await select('Problem', 'any problem');
  await until(async () => [1, 2].includes(await tiles().count()));
  await look('3-problem');
  await select('Problem', 'all pictures');
  await page.getByLabel('What to do with twin.png').click();
  await page.getByRole('button', { name: 'Take it out' }).click();
  await until(() => existsSync(join(data, 'removed', 'twin.png')));
  await until(async () => (await tiles().count()) === 8);

  await page.getByLabel('What to do with photo-8.png').click();
  await page.getByRole('button', { name: 'Set aside to measure' }).click();
  await page.getByText('to measure', { exact: true }).waitFor();
  await look('4-pictures');
}

async function ended(): Promise<void> {
  await until(async () => (await page.locator('.state').getAttribute('data-state')) === 'ended');
}

/** Watched, stopped, resumed; a second one from its weights; both beside each other. */
async function training(): Promise<void> {
  await page.getByRole('link', { name: 'Train' }).click();
  await page.getByLabel('Steps').fill('20');
  await page.getByLabel('Pictures per step').fill('2');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('heading', { name: 'train1' }).waitFor();
  await page.getByText(/^[1-9]\d* of 20$/).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await ended();
  await page.getByText(/^1?\d of 20$/).waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('20 of 20', { exact: true }).waitFor();
  await ended();
  await page.getByRole('img', { name: 'What it learned from in step 1', exact: true }).waitFor();
  await page.getByRole('img', { name: 'Loss by step' }).locator('canvas').waitFor();
  await page.getByRole('img', { name: 'Average precision by step' }).locator('canvas').waitFor();
  await look('5-run');
  for (const [link, file] of [
    ['Weights', 'train1.safetensors'],
    ['ONNX', 'train1.onnx'],
  ] as const) {
    const { name, bytes } = await downloaded(() => page.getByRole('link', { name: link, exact: true }).click());
    expect([name, bytes.length > 1e6]).toEqual([file, true]);
  }

  await page.getByRole('link', { name: 'Train' }).first().click();
  await select('Begin from', 'train1');
  await page.getByLabel('Steps').fill('2');
  await page.getByLabel('Pictures per step').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('heading', { name: 'train2' }).waitFor();
  await page.getByText('2 of 2', { exact: true }).waitFor();
  await ended();
  await page.getByRole('link', { name: 'Train' }).first().click();
  await page.getByLabel('Compare train1').check();
  await page.getByLabel('Compare train2').check();
  const chart = page.getByRole('img', { name: 'Losses of train1, train2' });
  await chart.locator('canvas').waitFor();
  for (const name of ['train1', 'train2']) await chart.locator('.u-label', { hasText: name }).waitFor();
  await look('6-train');
}

/** A model on a photograph that it has not seen, and on what a camera shows. */
async function trying(photo: string): Promise<void> {
  await page.getByRole('link', { name: 'Try' }).click();
  await select('Model', 'train1');
  await page.getByLabel('Choose a photograph').setInputFiles(photo);
  await page.getByText(/ in \d+\.\d\d s/).waitFor();
  await select('Model', 'certain.safetensors');
  await page.getByRole('button', { name: 'Look again' }).click();
  await page.getByText(/× (circle|square)/).waitFor();
  await page.getByRole('slider', { name: 'Score from' }).fill('0.95');
  await page.getByText('Nothing found from this score on.').waitFor();
  await page.getByRole('slider', { name: 'Score from' }).fill('0.5');
  await look('7-try');

  const shown = page.getByRole('img', { name: 'The photograph' });
  const frames = new Set([await shown.getAttribute('src')]);
  await page.getByRole('button', { name: 'Camera' }).click();
  await until(async () => frames.add(await shown.getAttribute('src')).size === 3);
  await page.getByText(/ in \d+\.\d\d s/).waitFor();
  await page.getByRole('button', { name: 'Camera', pressed: true }).click();
  await page.getByRole('button', { name: 'Camera', pressed: false }).waitFor();
  await look('8-camera');
}

/** In a picture, of a model that is certain: accepted, corrected, rejected. */
async function proposals(photo: string): Promise<void> {
  await page.getByRole('link', { name: 'Pictures' }).first().click();
  await page.getByLabel('Add photographs').setInputFiles(photo);
  await page.getByRole('link', { name: /^photo-9\.png/ }).click();
  await select('Model', 'certain.safetensors');
  await page.getByRole('button', { name: 'Propose' }).click();
  const accept = page.getByRole('button', { name: /^Accept (circle|square)/ });
  await accept.first().waitFor();
  const count = await accept.count();
  expect(count).toBeGreaterThanOrEqual(4);
  await look('9-proposals');
  await accept.first().click();
  await until(async () => (await objectsPanel().count()) === 1);
  await page.keyboard.press('Enter'); // the next one
  await until(async () => (await objectsPanel().count()) === 2);
  await page
    .getByRole('button', { name: /^Reject (circle|square)/ })
    .first()
    .click();
  await until(async () => (await accept.count()) === count - 3);
  expect(await objectsPanel().count()).toBe(2);
  await page
    .getByRole('button', { name: /^Correct (circle|square)/ })
    .first()
    .click();
  await until(async () => (await objectsPanel().count()) === 3);
  await page.locator('.a9s-handle').first().waitFor(); // there is something to pull at
  await page.getByRole('button', { name: 'Reject all' }).click();
  await accept.first().waitFor({ state: 'detached' });
  await allSaved();
  await until(() => objectsOf('photo-9.png') === 3);
  // What was accepted can be undone; what came quickly one after the other, at once.
  for (let left = 3; left > 0; left = await objectsPanel().count()) {
    await page.getByRole('button', { name: 'Undo' }).click();
    await until(async () => (await objectsPanel().count()) < left);
  }
  await until(() => objectsOf('photo-9.png') === 0);
  await allSaved();
}

/** The pictures where a model disagrees most with the outlines come first. */
async function comparison(): Promise<void> {
  await page.getByRole('link', { name: 'Pictures' }).first().click();
  await page.getByText('Compare the outlines with what a model sees').click();
  await select('Model', 'certain.safetensors');
  await page.getByRole('button', { name: 'Compare' }).click();
  await until(async () => (await page.getByRole('combobox', { name: 'Order' }).inputValue()) === 'model');
  await tiles()
    .first()
    .getByText(/\d+ (missed|extra)/)
    .waitFor();
  await select('Problem', 'a model disagrees');
  await until(async () => (await tiles().count()) === 8);
  await look('10-comparison');
  await select('Problem', 'all pictures');
  await select('Order', 'as they came');
}

async function downloaded(click: () => Promise<void>): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** Delete, undo, redo, another class, a corner pulled: each is on the disk when the page says so. */
async function editing(photo: Photograph): Promise<void> {
  const count = photo.objects.length;
  // What comes within a quarter of a second is one change, to be undone at once: nobody is as quick as this test.
  const pace = () => page.waitForTimeout(600);
  const select = () => objectsPanel().getByRole('button').first().click();
  await pace();
  await select();
  await page.keyboard.press('Delete');
  await until(() => annotations().length === count - 1);
  await pace();
  await page.keyboard.press('Control+z');
  await until(() => annotations().length === count);
  await pace();
  await page.keyboard.press('Control+y');
  await until(() => annotations().length === count - 1);
  await pace();
  await page.getByRole('button', { name: 'Undo' }).click();
  await until(() => annotations().length === count);
  await pace();
  const outlines = (): string => JSON.stringify(annotations().map(({ segmentation }) => segmentation).toSorted()); // biome-ignore format: one line
  const before = outlines();
  await select();
  const handle = (await page.locator('.a9s-handle').first().boundingBox())!;
  await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
  await page.mouse.down();
  await page.mouse.move(handle.x + 25, handle.y + 20, { steps: 5 });
  await page.mouse.up();
  await until(() => outlines() !== before);
  // On a slow machine one pull is several steps; each is given the time to reach the disk.
  while (outlines() !== before) {
    await page.getByRole('button', { name: 'Undo' }).click();
    for (let i = 0; i < 100 && outlines() !== before; i++) await page.waitForTimeout(100);
  }
  await allSaved();
  await page.keyboard.press('Escape');
}
