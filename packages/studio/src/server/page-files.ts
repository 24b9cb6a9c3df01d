import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  /** Its name holds a digest of its bytes, so it never changes. */
  readonly forever: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.md': 'text/plain; charset=utf-8',
};

/** The files of the built page by their addresses. They are few and small: no request ever reaches the disk for one. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  // Tests run the sources; the page is where the build puts it all the same.
  const folder = fileURLToPath(new URL('../../dist/page', import.meta.url));
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const address = path.slice(folder.length).replaceAll('\\', '/');
    const bytes = readFileSync(path);
    files.set(address === '/index.html' ? '/' : address, { type, bytes, forever: address.startsWith('/assets/') });
  }
  return files;
}
