import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserServer, chromium, type Page } from 'playwright';
import { build, type PreviewServer, preview } from 'vite';
import { cpuTime } from './cpu-time.ts';
import type { OpenedWay, PageTurn, SubjectName, WayName } from './ways.ts';

/** What the page of the benchmark offers. */
interface Bench {
  open(way: WayName, subject: SubjectName): Promise<OpenedWay>;
  predict(): Promise<PageTurn>;
}

/** Threads need a page that is isolated. */
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** A Chromium and the built page of the benchmark, which each way has for itself: engines are of a whole page. */
export class BenchPages {
  readonly #folder: string;
  readonly #server: PreviewServer;
  readonly #program: BrowserServer;
  readonly #browser: Browser;

  static async start(executablePath: string): Promise<BenchPages> {
    const root = fileURLToPath(new URL('page', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'rcnn-bench-'));
    const shared = { root, configFile: false, logLevel: 'error', build: { outDir: folder } } as const;
    await build({ ...shared, build: { ...shared.build, target: 'es2022', reportCompressedSize: false } });
    const server = await preview({ ...shared, preview: { host: '127.0.0.1', port: 0, headers } });
    const program = await chromium.launchServer({
      executablePath,
      args: ['--no-sandbox', '--enable-unsafe-swiftshader', '--enable-unsafe-webgpu', '--disable-gpu-watchdog'],
    });
    return new BenchPages(folder, server, program, await chromium.connect(program.wsEndpoint()));
  }

  private constructor(folder: string, server: PreviewServer, program: BrowserServer, browser: Browser) {
    this.#folder = folder;
    this.#server = server;
    this.#program = program;
    this.#browser = browser;
  }

  /** `Chromium 150.0.1` */
  get version(): string {
    return `Chromium ${this.#browser.version()}`;
  }

  async open(way: WayName, subject: SubjectName): Promise<{ readonly page: WayPage; readonly opened: OpenedWay }> {
    const page = await this.#browser.newPage();
    page.setDefaultTimeout(0); // software GPUs take minutes
    await page.goto(this.#server.resolvedUrls!.local[0]!);
    await page.waitForFunction(() => 'bench' in globalThis);
    const opened = await page.evaluate(
      ([name, what]) => (globalThis as unknown as { bench: Bench }).bench.open(name, what),
      [way, subject] as const,
    );
    return { page: new WayPage(page, this.#program.process().pid!), opened };
  }

  async end(): Promise<void> {
    await this.#browser.close();
    await this.#program.close();
    await this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** One prediction, and what all of Chromium computed for it. */
export interface Turn extends PageTurn {
  /** Milliseconds of all threads together; undefined where the system does not say. */
  readonly cpu: number | undefined;
}

/** One way in a page of its own. */
export class WayPage {
  readonly #page: Page;
  readonly #program: number;

  /** @param program the process of the browser */
  constructor(page: Page, program: number) {
    this.#page = page;
    this.#program = program;
  }

  async predict(): Promise<Turn> {
    const before = cpuTime(this.#program);
    const turn = await this.#page.evaluate(() => (globalThis as unknown as { bench: Bench }).bench.predict());
    const after = cpuTime(this.#program);
    return { ...turn, cpu: before === undefined || after === undefined ? undefined : after - before };
  }

  close(): Promise<void> {
    return this.#page.close();
  }
}
