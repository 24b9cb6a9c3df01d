import { rename, rm, writeFile } from 'node:fs/promises';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { readTextSync, requireReplaceable, writeError } from '@rcnn/files';

/** SHA-256 of files, in hexadecimal, by their path below a dataset's folder (with `/`). */
export type Digests = ReadonlyMap<string, string>;

/**
 * Reads a manifest: lines as `sha256sum` writes and checks them.
 * @returns undefined when there is no such file
 * @throws FILE_MALFORMED
 */
export async function readManifest(file: string): Promise<Digests | undefined> {
  let text: string;
  try {
    text = readTextSync(file);
  } catch (error) {
    if (isRcnnError(error, 'FILE_MISSING')) return undefined;
    throw error;
  }
  const digests = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const [, escaped, digest, path] = /^(\\?)([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (digest === undefined || path === undefined) {
      throw new RcnnError('FILE_MALFORMED', {
        where: file,
        place: `${i + 1}:1`,
        problem: 'this is not a line of a manifest',
        found: JSON.stringify(line.slice(0, 80)),
        expected: 'a SHA-256 in hexadecimal, two spaces and a path, as sha256sum writes them',
      });
    }
    digests.set(escaped === '' ? path : unescape(path), digest);
  }
  return digests;
}

/** Writes a manifest, sorted by path; never half of one under its name. */
export async function writeManifest(file: string, digests: Digests): Promise<void> {
  const lines = [...digests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, digest]) => lineOf(path, digest));
  await requireReplaceable(file);
  const part = `${file}.${process.pid}.part`;
  try {
    await writeFile(part, lines.join(''), { flag: 'wx' });
    await rename(part, file);
  } catch (cause) {
    await rm(part, { force: true });
    throw writeError(file, cause); // by the name that was asked for
  }
}

/** Where a name has a backslash or a line break, sha256sum escapes both and says so in front. */
function lineOf(path: string, digest: string): string {
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `${escaped === path ? '' : '\\'}${digest}  ${escaped}\n`;
}

function unescape(path: string): string {
  return path.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
