/** What TensorFlow's server of one rank must know. */
export interface ServerSettings {
  readonly rank: number;
  /** `host:port` of every rank, by rank. */
  readonly hosts: readonly string[];
  /** Whether ranks with GPUs talk through NCCL. */
  readonly nccl: boolean;
}

/** The name of a rank in TensorFlow's words. */
export function taskOf(rank: number): string {
  return `/job:worker/replica:0/task:${rank}`;
}

/**
 * The protocol buffer `tensorflow.ServerDef`. Field numbers are those of tensorflow/core/protobuf: tensorflow_server,
 * cluster and config.
 */
export function serverDef({ rank, hosts, nccl }: ServerSettings): Uint8Array<ArrayBuffer> {
  const tasks = hosts.map((host, task) => message(2, [integer(1, task), text(2, host)])); // map<int32, string>
  const cluster = message(1, [message(1, [text(1, 'worker'), ...tasks])]); // one JobDef
  const experimental = message(16, [
    text(1, taskOf(0)), // collective_group_leader: all ranks name the same
    integer(4, -1), // recv_buf_max_chunk: whole tensors, which takes less time than chunks of 4 MB
    integer(7, nccl ? 1 : 0), // collective_nccl
  ]);
  const config = message(4, [
    text(4, `/job:worker/task:${rank}`), // device_filters: a rank sees its own devices only
    message(6, [integer(4, 1)]), // gpu_options.allow_growth
    experimental,
  ]);
  // Field 23 of experimental, the coordination service, is left out: with it no signal reaches Node any more.
  return concat([cluster, text(2, 'worker'), integer(3, rank), config, text(5, 'grpc')]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return delimited(field, concat(parts));
}

function text(field: number, value: string): Uint8Array {
  return delimited(field, new TextEncoder().encode(value));
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field << 3), ...varint(value)]);
}

function delimited(field: number, bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(bytes.length)]), bytes]);
}

/** Seven bits a byte, the lowest first; negative numbers as 64 bits of two's complement. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return [...bytes, Number(left)];
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
