import { closeSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { onDisk } from '../files/disk.ts';
import { maskedCrc32c } from './crc32c.ts';
import { bytesField, concatenate, doubleField, floatField, message, varintField } from './protobuf.ts';

/** Fields of `tensorflow.Event`, `Summary`, `Summary.Value`, `Summary.Image` and `SessionLog`, by their numbers in the .proto files. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2, image: 4 } as const;
const IMAGE = { height: 1, width: 2, colorspace: 3, encoded: 4 } as const;
const RGBA = 4;
const SESSION_LOG_STATUS = 1;
const SESSION_START = 1;

export interface EventWriterOptions {
  /** The first step that will be written. TensorBoard then forgets later steps of older files: a resumed run has none twice. */
  readonly firstStep?: number;
}

/**
 * Writes scalars and images as TensorBoard reads them: an `events.out.tfevents.…` file of TFRecords. Each record is written whole
 * and at once, so after a crash everything but the last record is readable. What the disk refuses is a typed error.
 */
export class EventWriter {
  readonly path: string;
  #file: number | undefined;

  constructor(directory: string, { firstStep = 0 }: EventWriterOptions = {}) {
    const started = Date.now();
    // TensorBoard orders the files of a run by name: seconds first, and the milliseconds keep quick restarts apart.
    const seconds = String(Math.floor(started / 1000)).padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${String(started % 1000).padStart(3, '0')}`;
    this.path = join(directory, name);
    this.#file = onDisk(this.path, 'cannot be opened', () => openSync(this.path, 'a'));
    this.#write(bytesField(EVENT.fileVersion, 'brain.Event:2'));
    const start = message(varintField(SESSION_LOG_STATUS, SESSION_START));
    this.#write(varintField(EVENT.step, firstStep), bytesField(EVENT.sessionLog, start));
  }

  /** Writes some scalars of one step. Numbers that are not finite are left out. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const summary = Object.entries(values)
      .filter(([, value]) => Number.isFinite(value))
      .map(([tag, value]) =>
        bytesField(SUMMARY_VALUE, message(bytesField(VALUE.tag, tag), floatField(VALUE.simpleValue, value))),
      );
    if (summary.length === 0) return;
    this.#write(varintField(EVENT.step, step), bytesField(EVENT.summary, message(...summary)));
  }

  /** Writes a PNG file as the image of one step. */
  image(step: number, tag: string, png: Uint8Array): void {
    const header = new DataView(png.buffer, png.byteOffset); // signature, length, 'IHDR', width, height
    const image = message(
      varintField(IMAGE.height, header.getUint32(20)),
      varintField(IMAGE.width, header.getUint32(16)),
      varintField(IMAGE.colorspace, RGBA),
      bytesField(IMAGE.encoded, png),
    );
    const value = message(bytesField(VALUE.tag, tag), bytesField(VALUE.image, image));
    this.#write(varintField(EVENT.step, step), bytesField(EVENT.summary, message(bytesField(SUMMARY_VALUE, value))));
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #write(...fields: readonly Uint8Array[]): void {
    if (this.#file === undefined) return;
    const record = encodeRecord(message(doubleField(EVENT.wallTime, Date.now() / 1000), ...fields));
    const file = this.#file;
    onDisk(this.path, 'cannot be written', () => {
      // A disk that fills up takes a part of the bytes before it refuses.
      for (let at = 0; at < record.length; ) at += writeSync(file, record, at);
    });
  }
}

/** A TFRecord: length (uint64), its checksum, the data, their checksum; all little-endian. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const length = new DataView(new ArrayBuffer(8));
  length.setUint32(0, data.length, true);
  const lengthBytes = new Uint8Array(length.buffer);
  return concatenate([lengthBytes, checksum(lengthBytes), data, checksum(data)]);
}

function checksum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, maskedCrc32c(bytes), true);
  return new Uint8Array(view.buffer);
}
