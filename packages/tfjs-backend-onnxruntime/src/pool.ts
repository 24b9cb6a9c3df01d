/** Buffers smaller than this are cheaper to make than to keep. */
const SMALLEST = 16 * 1024;

/** A buffer that knows its pool and how many tensors use it. */
class PooledBuffer extends ArrayBuffer {
  static override get [Symbol.species](): ArrayBufferConstructor {
    return ArrayBuffer; // copies of it are nobody's
  }

  readonly pool: BufferPool;
  users = 0;

  constructor(bytes: number, pool: BufferPool) {
    super(bytes);
    this.pool = pool;
  }
}

/** Idle buffers of one size. */
interface Bucket {
  readonly size: number;
  readonly buffers: PooledBuffer[];
  /** When a buffer last came back, in returns to the pool. */
  lastReturn: number;
}

/**
 * Recycles the buffers of large tensors: fresh memory costs a page fault for every 4 KiB that is
 * written to it, which takes longer than most of what a network does to those 4 KiB.
 *
 * Buffers come in eight sizes per power of two, so a request wastes at most an eighth. A buffer is lent
 * until as many {@link release}s as {@link retain}s were counted. At most `limit` bytes lie idle; past
 * that the longest idle go to the garbage collector.
 *
 * No map here gains and loses entries with every tensor. V8 replaces the table of such a map again and again, and a
 * discarded table keeps the one after it alive, with all it held, until the next full collection.
 */
export class BufferPool {
  readonly limit: number;
  private readonly idle = new Map<number, Bucket>();
  private returns = 0;
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
    if (this.owns(buffer)) buffer.users++;
  }

  /** Counts one user less; the last one hands the buffer back. */
  release(buffer: ArrayBufferLike): void {
    if (!this.owns(buffer) || buffer.users === 0) return;
    buffer.users--;
    if (buffer.users > 0) return;
    this.lentTotal -= buffer.byteLength;
    this.keep(buffer);
  }

  clear(): void {
    this.idle.clear();
    this.idleTotal = 0;
  }

  private owns(buffer: ArrayBufferLike): buffer is PooledBuffer {
    return buffer instanceof PooledBuffer && buffer.pool === this;
  }

  private take(bytes: number): ArrayBuffer {
    if (bytes < SMALLEST) return new ArrayBuffer(bytes);
    const size = sizeClass(bytes);
    const buffer = this.idle.get(size)?.buffers.pop();
    if (buffer) this.idleTotal -= size;
    this.lentTotal += size;
    return buffer ?? new PooledBuffer(size, this);
  }

  private keep(buffer: PooledBuffer): void {
    const size = buffer.byteLength;
    const bucket = this.idle.get(size) ?? { size, buffers: [], lastReturn: 0 };
    if (bucket.lastReturn === 0) this.idle.set(size, bucket);
    bucket.lastReturn = ++this.returns;
    bucket.buffers.push(buffer);
    this.idleTotal += size;
    while (this.idleTotal > this.limit) this.dropOldest();
  }

  private dropOldest(): void {
    let oldest: Bucket | undefined;
    for (const bucket of this.idle.values()) {
      if (bucket.buffers.length === 0) continue;
      if (oldest === undefined || bucket.lastReturn < oldest.lastReturn) oldest = bucket;
    }
    oldest!.buffers.shift();
    this.idleTotal -= oldest!.size;
  }
}

/** The next size at or above `bytes` of the form (8..15) * 2^n. */
export function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(bytes)) - 4);
  return Math.ceil(bytes / step) * step;
}
