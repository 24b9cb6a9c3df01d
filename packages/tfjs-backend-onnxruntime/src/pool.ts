/** Buffers smaller than this are cheaper to make than to keep. */
const SMALLEST = 16 * 1024;

/**
 * Recycles the buffers of large tensors: fresh memory costs a page fault for every 4 KiB that is
 * written to it, which takes longer than most of what a network does to those 4 KiB.
 *
 * Buffers come in eight sizes per power of two, so a request wastes at most an eighth. A buffer is lent
 * until as many {@link release}s as {@link retain}s were counted. At most `limit` bytes lie idle; past
 * that the longest idle go to the garbage collector.
 */
export class BufferPool {
  readonly limit: number;
  private readonly idle = new Map<number, ArrayBuffer[]>();
  private readonly lent = new Map<ArrayBufferLike, number>();
  private idleTotal = 0;
  private lentTotal = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that wait for their next use. */
  get idleBytes(): number {
    return this.idleTotal;
  }

  /** Bytes in use. */
  get lentBytes(): number {
    return this.lentTotal;
  }

  /** A float32 array with arbitrary content. Its buffer is lent once {@link retain} is called on it. */
  float32(length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.take(length * 4), 0, length);
  }

  int32(length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.take(length * 4), 0, length);
  }

  uint8(length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.take(length), 0, length);
  }

  /** Counts one more user of a buffer that came from here; other buffers are ignored. */
  retain(buffer: ArrayBufferLike): void {
    const users = this.lent.get(buffer);
    if (users !== undefined) this.lent.set(buffer, users + 1);
  }

  /** Counts one user less; the last one hands the buffer back. */
  release(buffer: ArrayBufferLike): void {
    const users = this.lent.get(buffer);
    if (users === undefined) return;
    if (users > 1) {
      this.lent.set(buffer, users - 1);
      return;
    }
    this.lent.delete(buffer);
    this.lentTotal -= buffer.byteLength;
    this.keep(buffer as ArrayBuffer);
  }

  clear(): void {
    this.idle.clear();
    this.idleTotal = 0;
  }

  private take(bytes: number): ArrayBuffer {
    if (bytes < SMALLEST) return new ArrayBuffer(bytes);
    const size = sizeClass(bytes);
    const bucket = this.idle.get(size);
    const buffer = bucket?.pop();
    if (bucket?.length === 0) this.idle.delete(size);
    if (buffer) this.idleTotal -= size;
    const taken = buffer ?? new ArrayBuffer(size);
    this.lent.set(taken, 0);
    this.lentTotal += size;
    return taken;
  }

  private keep(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    const bucket = this.idle.get(size) ?? [];
    bucket.push(buffer);
    this.idle.delete(size); // re-inserted at the end: the map's order is the order of last use
    this.idle.set(size, bucket);
    this.idleTotal += size;
    while (this.idleTotal > this.limit) this.dropOldest();
  }

  private dropOldest(): void {
    const [size, bucket] = this.idle.entries().next().value as [number, ArrayBuffer[]];
    bucket.shift();
    if (bucket.length === 0) this.idle.delete(size);
    this.idleTotal -= size;
  }
}

/** The next size at or above `bytes` of the form (8..15) * 2^n. */
export function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(bytes)) - 4);
  return Math.ceil(bytes / step) * step;
}
