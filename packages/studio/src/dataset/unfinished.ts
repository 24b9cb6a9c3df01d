import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { fileError, readTextSync } from '@rcnn/files';

/** A picture on its way from one annotation file to another. */
export interface Move {
  readonly kind: 'move';
  /** Its file. */
  readonly picture: string;
  /** The split that it leaves, and its number there. */
  readonly from: string;
  readonly id: number;
  /** The split that it comes to, and its number there. */
  readonly to: string;
  readonly arrived: number;
  /** Of its objects where it leaves: who changes them after a crash wants them to stay. */
  readonly revision: string;
}

/** A class on its way to another name, which every annotation file states. */
export interface Renaming {
  readonly kind: 'rename';
  readonly id: number;
  readonly was: string;
  readonly name: string;
}

/** A change of several files: a crash may leave some of them as they were. */
export type Unfinished = Move | Renaming;

/** Hidden, and beside the lock: no reader of datasets takes it for annotations. */
const FILE = '.studio-change.json';

/** Notes a change before the first of its files is written. @throws DISK_FULL, IO_FAILED */
export async function noteUnfinished(folder: string, change: Unfinished): Promise<void> {
  await atomicWrite(join(folder, FILE), `${JSON.stringify(change)}\n`);
}

/** What is noted; undefined where nothing is, or nothing that the studio has written. @throws IO_FAILED, FILE_REFUSED */
export function readUnfinished(folder: string): Unfinished | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  try {
    const change: unknown = JSON.parse(readTextSync(path));
    return isMove(change) || isRenaming(change) ? change : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Forgets it, when the last of its files is written. @throws IO_FAILED */
export async function forgetUnfinished(folder: string): Promise<void> {
  const path = join(folder, FILE);
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw fileError(path, 'the file cannot be removed', cause);
  });
}

function isMove(value: unknown): value is Move {
  const texts = ['picture', 'from', 'to', 'revision'];
  return isOf(value, 'move') && areAll(value, texts, 'string') && areAll(value, ['id', 'arrived'], 'number');
}

function isRenaming(value: unknown): value is Renaming {
  return isOf(value, 'rename') && areAll(value, ['was', 'name'], 'string') && areAll(value, ['id'], 'number');
}

function isOf(value: unknown, kind: Unfinished['kind']): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === kind;
}

function areAll(value: Readonly<Record<string, unknown>>, names: readonly string[], type: string): boolean {
  return names.every((name) => typeof value[name] === type);
}
