import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axeCore from 'axe-core';
import type { Page } from 'playwright';

/** Notes what a page must not do: say something on the console, fail, ask for something that is not on this machine. */
export function listenTo(page: Page, complaints: string[]): void {
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (hostname !== '127.0.0.1' && protocol !== 'blob:' && protocol !== 'data:') {
      complaints.push(`asked for ${request.url()}`);
    }
  });
}

const DESK = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };
const TURNED = { width: 844, height: 390 };
const FORMS = [
  { name: '1280-light', size: DESK, colorScheme: 'light' },
  { name: '1280-dark', size: DESK, colorScheme: 'dark' },
  { name: '390-dark', size: PHONE, colorScheme: 'dark' },
  { name: '390-light', size: PHONE, colorScheme: 'light' },
  { name: '844-light', size: TURNED, colorScheme: 'light' },
] as const;

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/**
 * Looks at a page as it is now on a desk, on a phone and on a turned phone, in light and in dark colors.
 * @param screenshots a folder that keeps a picture of each
 * @returns what axe-core calls serious or critical, and what is wider than its screen
 */
export async function faultsOf(page: Page, name: string, screenshots?: string): Promise<string[]> {
  const faults: string[] = [];
  for (const form of FORMS) {
    await page.setViewportSize(form.size);
    await page.emulateMedia({ colorScheme: form.colorScheme });
    await settled(page);
    if (screenshots !== undefined) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, `${name}-${form.name}.png`), fullPage: true });
    }
    const overhang = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    const found = await axe(page);
    if (overhang > 0) found.push(`${overhang} pixels wider than the screen`);
    faults.push(...found.map((fault) => `${name} ${form.name}: ${fault}`));
  }
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: 'light' });
  await settled(page);
  return faults;
}

/** Two frames: the first may still show what was before; colors that fade have arrived. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    await Promise.allSettled(
      document
        .getAnimations()
        .filter((animation) => animation instanceof CSSTransition)
        .map((animation) => animation.finished),
    );
  });
}

async function axe(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeCore.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}
