import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileEntry, Reader, TextWriter, ZipReader } from '@zip.js/zip.js';
import type { ByteProgress } from './download.ts';
import { failure, fileFailure } from './failures.ts';
import type { FileRecord } from './layout.ts';

const GIBIBYTE = 2 ** 30;
const MEBIBYTE = 2 ** 20;

/** A file of the wheel may not be larger than this; TensorFlow's largest is about 1.2 GiB. */
const MAX_FILE = 8 * GIBIBYTE;
const MAX_TEXT = 16 * MEBIBYTE;
const MAX_ENTRIES = 200_000;

/** A Python wheel, read in place: it is a zip, so nothing but the files we ask for is unpacked. */
export class Wheel {
  /** `tensorflow-cpu`, `tensorflow`. */
  readonly distribution: string;
  readonly version: string;
  /** `manylinux_2_27_x86_64`; several are joined by dots. */
  readonly platformTag: string;
  private readonly file: FileHandle;
  private readonly entries: ReadonlyMap<string, FileEntry>;
  /** `sha256=<base64url>` by file name, as the wheel's own RECORD has them. */
  private readonly digests: ReadonlyMap<string, string>;

  private constructor(file: FileHandle, entries: ReadonlyMap<string, FileEntry>, texts: DistInfo) {
    this.file = file;
    this.entries = entries;
    this.distribution = field(texts.metadata, 'Name').toLowerCase().replaceAll('_', '-');
    this.version = field(texts.metadata, 'Version');
    this.platformTag = texts.wheel
      .split(/\r?\n/)
      .flatMap((line) => (line.startsWith('Tag:') ? [line.trim().split('-').at(-1)!] : []))
      .join('.');
    this.digests = parseRecord(texts.record);
  }

  /**
   * Opens a wheel and reads its directory.
   * @throws RcnnError FILE_MISSING, FILE_MALFORMED (no zip, no wheel, damaged, cut short)
   */
  static async open(path: string): Promise<Wheel> {
    const file = await openFile(path);
    try {
      const entries = await readDirectory(file);
      return new Wheel(file, entries, await readDistInfo(entries));
    } catch (error) {
      await file.close();
      throw wheelFailure(error, path);
    }
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Size of a file, uncompressed, in bytes; 0 when it is absent. */
  sizeOf(name: string): number {
    return this.entries.get(name)?.uncompressedSize ?? 0;
  }

  /** A small text file of the wheel. */
  async text(name: string): Promise<string> {
    try {
      return await readText(this.entries, name);
    } catch (error) {
      throw wheelFailure(error, name);
    }
  }

  /**
   * Unpacks one file to `path` and checks it against the wheel's own record of digests.
   * @throws RcnnError FILE_MALFORMED, DIGEST_MISMATCH, DISK_FULL, IO_FAILED
   */
  async extract(name: string, path: string, onProgress: ByteProgress = () => undefined): Promise<FileRecord> {
    const entry = required(this.entries, name, MAX_FILE);
    const hash = createHash('sha256');
    let size = 0;
    try {
      await mkdir(dirname(path), { recursive: true });
      const target = await open(path, 'wx');
      try {
        const sink = new WritableStream<Uint8Array>({
          async write(chunk) {
            size += chunk.length;
            if (size > entry.uncompressedSize) throw malformed(name, 'it unpacks to more than the directory says');
            hash.update(chunk);
            for (let at = 0; at < chunk.length; ) at += (await target.write(chunk, at)).bytesWritten;
            onProgress(size, entry.uncompressedSize);
          },
        });
        await entry.getData(sink, { checkSignature: true, useWebWorkers: false });
        await target.sync();
      } finally {
        await target.close();
      }
    } catch (error) {
      throw wheelFailure(error, name);
    }
    const sha256 = hash.digest('hex');
    this.checkDigest(name, sha256);
    return { size, sha256 };
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private checkDigest(name: string, sha256: string): void {
    const expected = this.digests.get(name);
    if (expected === `sha256=${Buffer.from(sha256, 'hex').toString('base64url')}`) return;
    throw failure('DIGEST_MISMATCH', {
      place: name,
      problem: 'a file of the wheel differs from what its RECORD says',
      found: `sha256 ${sha256}`,
      expected: expected === undefined ? 'an entry in RECORD' : expected.replace('=', ' '),
      hint: 'Download the wheel again.',
    });
  }
}

interface DistInfo {
  readonly metadata: string;
  readonly wheel: string;
  readonly record: string;
}

/** What zip.js reads from: ranges of an open file. */
class FileRanges extends Reader<FileHandle> {
  private readonly file: FileHandle;

  constructor(file: FileHandle) {
    super(file);
    this.file = file;
  }

  override async init(): Promise<void> {
    await super.init?.();
    this.size = (await this.file.stat()).size;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - index));
    const buffer = new Uint8Array(wanted);
    let done = 0;
    while (done < wanted) {
      const { bytesRead } = await this.file.read(buffer, done, wanted - done, index + done);
      if (bytesRead === 0) throw malformed('the wheel', 'it ends too early');
      done += bytesRead;
    }
    return buffer;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw fileFailure(cause, path);
    throw failure('FILE_MISSING', {
      place: path,
      problem: 'there is no such file',
      hint: 'Check the path given with --wheel.',
      cause,
    });
  }
}

async function readDirectory(file: FileHandle): Promise<Map<string, FileEntry>> {
  const entries = new Map<string, FileEntry>();
  for await (const entry of new ZipReader(new FileRanges(file)).getEntriesGenerator()) {
    if (entry.directory) continue;
    if (entries.has(entry.filename)) throw malformed(entry.filename, 'the zip has two files of this name');
    if (entries.size >= MAX_ENTRIES) throw malformed('the wheel', `the zip has more than ${MAX_ENTRIES} files`);
    entries.set(entry.filename, entry);
  }
  return entries;
}

async function readDistInfo(entries: ReadonlyMap<string, FileEntry>): Promise<DistInfo> {
  const record = [...entries.keys()].find((name) => /^[^/]+\.dist-info\/RECORD$/.test(name));
  if (record === undefined) throw malformed('the wheel', 'this zip is no Python wheel: it has no .dist-info/RECORD');
  const folder = dirname(record);
  return {
    metadata: await readText(entries, join(folder, 'METADATA')),
    wheel: await readText(entries, join(folder, 'WHEEL')),
    record: await readText(entries, record),
  };
}

async function readText(entries: ReadonlyMap<string, FileEntry>, name: string): Promise<string> {
  const entry = required(entries, name, MAX_TEXT);
  return entry.getData(new TextWriter(), { checkSignature: true, useWebWorkers: false });
}

function required(entries: ReadonlyMap<string, FileEntry>, name: string, maxSize: number): FileEntry {
  const entry = entries.get(name);
  if (entry === undefined) throw malformed(name, 'the wheel has no such file');
  if (entry.encrypted) throw malformed(name, 'the file is encrypted');
  if (entry.uncompressedSize > maxSize) throw malformed(name, `it says it is ${entry.uncompressedSize} bytes`);
  return entry;
}

/** Lines of `name,sha256=…,size`; names with commas are quoted and of no interest to us. */
function parseRecord(text: string): Map<string, string> {
  const digests = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [name, digest] = line.split(',');
    if (name !== undefined && digest !== undefined) digests.set(name, digest);
  }
  return digests;
}

function field(metadata: string, key: string): string {
  const value = new RegExp(`^${key}:\\s*(.+?)\\s*$`, 'm').exec(metadata)?.[1];
  if (value !== undefined && /^[\w.+-]+$/.test(value)) return value; // it becomes part of a folder's name
  throw malformed('METADATA', `it has no usable ${key}`);
}

function malformed(place: string, problem: string, cause?: unknown): Error {
  return failure('FILE_MALFORMED', {
    place,
    problem,
    hint: 'Download the wheel again: pip download --no-deps --only-binary :all: tensorflow-cpu.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** File system errors have a code; whatever else zip.js throws says that the zip is not in order. */
function wheelFailure(error: unknown, place: string): Error {
  if ((error as NodeJS.ErrnoException).code !== undefined) return fileFailure(error, place);
  return malformed(place, `the zip is damaged: ${(error as Error).message}`, error);
}
