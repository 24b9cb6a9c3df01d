import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { note } from '../output/print.ts';
import { checkSameRun, type PartHeader, type PartLine, partName, partsIn, preparePart, writePart } from './part.ts';
import { PartReader } from './part-reader.ts';

export interface ShardRunOptions {
  /** Folder of all parts. */
  readonly folder: string;
  readonly header: PartHeader;
  /** Makes a finished part again when something of it could not be used. */
  readonly retryBad: boolean;
}

/**
 * Makes one part, unless it is there and whole. A task may so be started as often as a scheduler likes, and at the same
 * time as its own ghost on a machine that was thought dead: whoever is last puts the same part in place.
 * @throws INVALID_ARGUMENT when the folder has parts of another run
 */
export async function runShard(
  { folder, header, retryBad }: ShardRunOptions,
  lines: () => AsyncIterable<PartLine>,
): Promise<void> {
  const path = join(folder, partName(header.shard));
  preparePart(folder, header.shard);
  await checkNeighbors(folder, path, header);
  if (existsSync(path) && (await isDone(path, header, retryBad))) {
    note(`${path} is there and whole; nothing to do.`);
    return;
  }
  await writePart(folder, header, lines());
  note(`wrote ${path}`);
}

/** Parts of another run in the folder would only come to light when all work is done. */
async function checkNeighbors(folder: string, path: string, header: PartHeader): Promise<void> {
  const other = partsIn(folder).find((name) => name !== path);
  if (other === undefined) return;
  const neighbor = await PartReader.open(other).catch((error: unknown) => {
    if (isRcnnError(error, 'FILE_MISSING')) return undefined; // its own task replaces it just now
    throw error;
  });
  if (neighbor !== undefined) checkSameRun(path, header, neighbor.header, other);
}

async function isDone(path: string, header: PartHeader, retryBad: boolean): Promise<boolean> {
  try {
    const { reader, header: found } = await PartReader.open(path);
    checkSameRun(path, header, found, path);
    let bad = 0;
    for (let line = await reader.next(); line !== undefined; line = await reader.next()) if ('error' in line) bad++;
    if (bad === 0 || !retryBad) return true;
    note(`${path}: ${bad} could not be used; making it again.`);
    return false;
  } catch (error) {
    if (!(error instanceof RcnnError) || !DAMAGE.has(error.code)) throw error;
    note(`${error.message} Making it again.`);
    return false;
  }
}

/** What only means that the file was harmed after it was written. */
const DAMAGE: ReadonlySet<string> = new Set(['DIGEST_MISMATCH', 'FILE_TRUNCATED', 'FILE_MALFORMED']);
