import { type FileHandle, open } from 'node:fs/promises';
import { extname } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import type { CocoResult } from '@rcnn/coco-data';
import { fileError } from '@rcnn/files';
import { jsonText, print } from '../output/print.ts';

/** A COCO result, and the file that it is about. */
export type FileResult = CocoResult & { readonly file_name: string };

/**
 * A COCO results list on its way to a file. Each result is on the disk as a JSON line (`results.jsonl` beside
 * `results.json`) as soon as it is known, so a killed run keeps its work; the list itself is written whole at the end.
 */
export class ResultsFile {
  readonly #file: string;
  readonly #lines: string[] = [];
  #handle: FileHandle | undefined;

  private constructor(file: string, handle: FileHandle | undefined) {
    this.#file = file;
    this.#handle = handle;
  }

  /**
   * @param file `-` for stdout, where the list comes at the end
   * @throws FILE_MISSING, IO_FAILED
   */
  static async open(file: string): Promise<ResultsFile> {
    if (file === '-') return new ResultsFile(file, undefined);
    const lines = linesFile(file);
    return new ResultsFile(file, await onDisk(lines, () => open(lines, 'w')));
  }

  /** @throws DISK_FULL, IO_FAILED */
  async add(results: readonly FileResult[]): Promise<void> {
    const lines = results.map((result) => jsonText(result, true));
    for (const line of lines) this.#lines.push(line);
    if (lines.length === 0) return;
    const text = lines.map((line) => `${line}\n`).join('');
    await onDisk(linesFile(this.#file), async () => this.#handle?.appendFile(text));
  }

  /** Writes the list. @throws IO_FAILED, DISK_FULL */
  async end(): Promise<void> {
    const list = ['[', ...this.#lines.map((line, i) => (i < this.#lines.length - 1 ? `${line},` : line)), ']'];
    if (this.#file === '-') return print(...list);
    await this.close();
    await atomicWrite(this.#file, pieces(list));
  }

  /** Ends the lines, also when something failed; what is in them stays. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await onDisk(linesFile(this.#file), async () => handle?.close());
  }
}

async function onDisk<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(file, 'cannot be written', error);
  }
}

/** `out/results.jsonl` for `out/results.json`. */
export function linesFile(file: string): string {
  return `${file.slice(0, file.length - extname(file).length)}.jsonl`;
}

/** The list in pieces, for it may be longer than the longest text. */
function* pieces(lines: readonly string[]): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const line of lines) yield encoder.encode(`${line}\n`);
}
