import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset } from '@rcnn/coco-data/node';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Photograph, photograph, type RunningStudio, startStudio, until } from './support/studio.ts';

// A person, a real Chromium, the real program: from eight photographs without an outline to a trained model.
// STUDIO_SCREENSHOTS=folder keeps pictures of every part.

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOTS = process.env['STUDIO_SCREENSHOTS'];

const root = mkdtempSync(join(tmpdir(), 'studio-browser-'));
const [data, runs] = [join(root, 'balloons'), join(root, 'runs')];

let browser: Browser;
let context: BrowserContext;
let page: Page;
let phone: Page | undefined;
let studio: RunningStudio;
/** What the browser complained of, and requests that went elsewhere. */
const complaints: string[] = [];

beforeAll(async () => {
  const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] }); // biome-ignore format: one line
  context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(Number(process.env['STUDIO_PATIENCE'] ?? 300) * 1000);
  page = await context.newPage();
  listen(page);
});

afterAll(async () => {
  await browser.close();
  studio.process.kill('SIGTERM');
  await studio.ended;
  rmSync(root, { recursive: true, force: true });
});

function listen(watched: Page): void {
  watched.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  watched.on('pageerror', (error) => complaints.push(error.message));
  watched.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith('http://127.0.0.1:') && !url.startsWith('blob:')) complaints.push(`asked for ${url}`);
  });
}

/**
 * No finding of axe-core that it calls serious or critical, and nothing wider than its screen: here in light colors, and
 * in dark ones on a page as wide as a phone, which is opened at the same place.
 */
async function look(name: string): Promise<void> {
  await lookAt(page, `${name}-1280-light`);
  if (phone === undefined) {
    phone = await context.newPage();
    listen(phone);
    await phone.setViewportSize({ width: 390, height: 844 });
    await phone.emulateMedia({ colorScheme: 'dark' });
  }
  await phone.goto('about:blank'); // another hash alone would not open the page anew
  await phone.goto(page.url());
  await phone.getByRole('heading', { level: 1 }).waitFor();
  await phone.waitForLoadState('networkidle', { timeout: 5000 }).catch(() => undefined); // a run's page keeps its stream open
  await lookAt(phone, `${name}-390-dark`);
  await page.bringToFront();
}

async function lookAt(seen: Page, name: string): Promise<void> {
  if (SCREENSHOTS !== undefined) {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await seen.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }
  if (!(await seen.evaluate(() => 'axe' in globalThis))) await seen.evaluate(AXE);
  const findings = await seen.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
  expect([name, findings]).toEqual([name, []]);
  const overhang = await seen.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect([name, Math.max(0, overhang)]).toEqual([name, 0]);
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
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

function annotations(): {
  readonly category_id: number;
  readonly segmentation: number[][];
  readonly image_id: number;
}[] {
  return JSON.parse(readFileSync(join(data, 'annotations', 'instances_train.json'), 'utf8')).annotations;
}

test('from eight photographs to a trained model', async () => {
  const photographs = await Promise.all(Array.from({ length: 9 }, (_, i) => photograph(i)));
  const files = photographs.map(({ name, bytes }) => {
    const file = join(root, name);
    writeFileSync(file, bytes);
    return file;
  });
  studio = await startStudio(data, runs);

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
  const kept = annotations().length;
  expect(kept).toBe(photographs.slice(0, 4).reduce((sum, { objects }) => sum + objects.length, 0));

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
  expect(annotations()).toHaveLength(kept);
  complaints.length = 0; // the browser says that nobody answers
  studio = await startStudio(data, runs, Number(port));
  await page.getByRole('heading', { name: 'The studio was started anew' }).waitFor();
  complaints.length = 0; // and that it was refused
  await page.goto(studio.address);
  await page.getByText('1 unsaved picture was brought back.').waitFor();
  await allSaved();
  await until(() => annotations().length === kept + 1);
  await page.reload(); // the cookie alone is enough now
  await page.getByRole('link', { name: /^photo-5\.png: 1 object/ }).click();
  await page.getByRole('heading', { name: 'photo-5.png' }).waitFor();
  expect(await objectsPanel().count()).toBe(1);
  await page
    .getByRole('button', { name: `${first!.shape} 1`, exact: true })
    .last()
    .click();
  await page.keyboard.press('Delete');
  for (const photo of photographs.slice(4, 8)) {
    await page.getByRole('heading', { name: photo.name }).waitFor();
    await until(async () => (await objectsPanel().count()) === 0);
    await outlineAll(photo, classes);
    await page.keyboard.press('n');
  }
  await page.getByText('That was the last picture.').waitFor();
  await look('2-outlines');

  // The grid: filters, and a picture set aside to measure on.
  await page.getByRole('link', { name: 'Pictures' }).first().click();
  await page.getByText('8 of 8 outlined').waitFor();
  await look('3-pictures');
  await page.getByLabel('Class').selectOption('nothing outlined');
  await page.getByText('No picture is like that.').waitFor();
  await page.getByLabel('Class').selectOption('all');
  await page.getByLabel('What to do with photo-8.png').click();
  await page.getByRole('button', { name: 'Set aside to measure' }).click();
  await page.getByText('to measure', { exact: true }).waitFor();

  // Training: watched, stopped, resumed.
  await page.getByRole('link', { name: 'Train' }).click();
  await page.getByLabel('Steps').fill('5');
  await page.getByLabel('Pictures per step').fill('2');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('heading', { name: 'train1' }).waitFor();
  await page.getByText(/^[1-5] of 5$/).waitFor();
  const stop = page.getByRole('button', { name: 'Stop' });
  if (await stop.isVisible()) await stop.click({ timeout: 5000 }).catch(() => undefined); // it may have ended
  await until(async () => (await page.locator('.state').getAttribute('data-state')) === 'ended');
  const resume = page.getByRole('button', { name: 'Resume' });
  if (await resume.isVisible()) await resume.click();
  await page.getByText('5 of 5', { exact: true }).waitFor();
  await until(async () => (await page.locator('.state').getAttribute('data-state')) === 'ended');
  await page.getByRole('img', { name: 'What it learned from in step 1' }).waitFor();
  await page.getByRole('img', { name: 'Loss by step' }).locator('canvas').waitFor();
  await look('4-run');
  for (const file of ['train1.safetensors', 'train1.onnx']) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: file.endsWith('onnx') ? 'ONNX' : 'Weights', exact: true }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(file);
    expect(readFileSync(await download.path()).length).toBeGreaterThan(1e6);
  }
  await page.getByRole('link', { name: 'Train' }).first().click();
  await page.getByLabel('Compare train1').check();
  await page.getByRole('img', { name: 'Losses of train1' }).locator('canvas').waitFor();
  await look('5-train');

  // The model on a photograph that it has not seen, with all that it believes.
  await page.getByRole('link', { name: 'Try' }).click();
  await page.getByLabel('Model', { exact: true }).selectOption('train1');
  await page.getByLabel('Choose a photograph').setInputFiles(files[8]!);
  await page.getByRole('slider', { name: 'Score from' }).fill('0.05');
  await page.getByText(/ in \d+\.\d\d s/).waitFor();
  await look('6-try');
  await page.getByRole('button', { name: 'Camera' }).click();
  await page.getByText(/ in \d+\.\d\d s/).waitFor();
  await page.getByRole('button', { name: 'Camera' }).click();

  // Its proposals in a picture: accepted, corrected, rejected.
  await page.getByRole('link', { name: 'Pictures' }).first().click();
  await page.getByLabel('Add photographs').setInputFiles(files[8]!);
  await page.getByRole('link', { name: /^photo-9\.png/ }).click();
  await page.getByLabel('Model', { exact: true }).selectOption('train1');
  await page.getByRole('button', { name: 'Propose' }).click();
  await page.getByText(/proposed in/).waitFor();
  const slider = page.getByRole('slider', { name: 'Score from' });
  // Five steps teach little: it may believe in nothing at all.
  if (await slider.isVisible()) {
    await slider.fill('0.05');
    await look('7-proposals');
    await page
      .getByRole('button', { name: /^Accept / })
      .first()
      .click();
    await until(async () => (await objectsPanel().count()) === 1);
    await page.getByRole('button', { name: 'Reject all' }).click();
    await allSaved();
    await page.getByRole('button', { name: 'Undo' }).click();
    await until(async () => (await objectsPanel().count()) === 0);
    await allSaved();
  }

  // What it leaves is a dataset.
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page
      .getByRole('link', { name: 'Pictures' })
      .first()
      .click()
      .then(() => page.getByRole('link', { name: 'Export COCO' }).click()),
  ]);
  expect(
    readFileSync(await download.path())
      .subarray(0, 2)
      .toString(),
  ).toBe('PK');
  const train = await openDataset(data, { split: 'train' });
  const val = await openDataset(data, { split: 'val' });
  expect([train.length, val.length]).toEqual([8, 1]);
  for (const [i, { objects }] of photographs.slice(0, 7).entries()) {
    expect(
      train.annotations(i).map(({ categoryId }) => train.classes.nameOf(train.classes.labelOf(categoryId)!)),
    ).toEqual(objects.map(({ shape }) => shape));
  }
  expect(complaints).toEqual([]);
});

/** Delete, undo, redo, another class, a corner pulled: each is on the disk when the page says so. */
async function editing(photo: Photograph): Promise<void> {
  const count = photo.objects.length;
  const select = () => objectsPanel().getByRole('button').first().click();
  await select();
  await page.keyboard.press('Delete');
  await until(() => annotations().length === count - 1);
  await page.keyboard.press('Control+z');
  await until(() => annotations().length === count);
  await page.keyboard.press('Control+y');
  await until(() => annotations().length === count - 1);
  await page.getByRole('button', { name: 'Undo' }).click();
  await until(() => annotations().length === count);
  const outlines = (): string => JSON.stringify(annotations().map(({ segmentation }) => segmentation).toSorted()); // biome-ignore format: one line
  const before = outlines();
  await select();
  const handle = (await page.locator('.a9s-handle').first().boundingBox())!;
  await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
  await page.mouse.down();
  await page.mouse.move(handle.x + 25, handle.y + 20, { steps: 5 });
  await page.mouse.up();
  await until(() => outlines() !== before);
  // On a slow machine one pull is several steps.
  await until(async () => {
    await page.getByRole('button', { name: 'Undo' }).click();
    await allSaved();
    return outlines() === before;
  });
  await page.keyboard.press('Escape');
}
