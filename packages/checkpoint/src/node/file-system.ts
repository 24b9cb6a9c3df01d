import { constants } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import { makeFolderSync } from '@rcnn/files';

/** A file that is being written. */
export interface WritableFile {
  /** Writes all of `bytes` at the end. */
  write(bytes: Uint8Array): Promise<void>;
  /** Returns when the bytes are on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The few calls that saving needs. Tests put their own in, to fail any one of them or to lose what was not synced. */
export interface FileSystem {
  /** Opens a new file; it may not exist yet. */
  create(path: string): Promise<WritableFile>;
  /** Opens a file to go on at its end, or a new one; not through a link. */
  append(path: string): Promise<WritableFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Returns when the names in the directory are on the disk. */
  syncDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  makeDirectory(path: string): Promise<void>;
}

/** Through a link that somebody put in our place nothing is written. Windows has no such flag. */
const APPEND: number = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);

/** The real one. */
export const nodeFileSystem: FileSystem = {
  create: async (path) => writable(await open(path, 'wx')),
  append: async (path) => writable(await open(path, APPEND)),
  rename,
  remove: unlink,
  async syncDirectory(path) {
    if (process.platform === 'win32') return; // directories cannot be synced there
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  list: (path) => readdir(path),
  makeDirectory: async (path) => makeFolderSync(path),
};

function writable(file: Awaited<ReturnType<typeof open>>): WritableFile {
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.byteLength; ) {
        at += (await file.write(bytes, at, Math.min(bytes.byteLength - at, 1 << 30))).bytesWritten;
      }
    },
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
