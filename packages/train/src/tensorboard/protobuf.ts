/** The few wire types of protocol buffers that TensorBoard's events need. */
export type Field = Uint8Array;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export function message(...fields: readonly Field[]): Uint8Array {
  return concatenate(fields);
}

/** A whole number from 0 to 2^53. */
export function varintField(field: number, value: number): Field {
  return concatenate([varint(field * 8 + VARINT), varint(value)]);
}

export function doubleField(field: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value, true);
  return concatenate([varint(field * 8 + FIXED64), new Uint8Array(bytes.buffer)]);
}

export function floatField(field: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return concatenate([varint(field * 8 + FIXED32), new Uint8Array(bytes.buffer)]);
}

/** Text, bytes or a message inside a message. */
export function bytesField(field: number, value: Uint8Array | string): Field {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concatenate([varint(field * 8 + BYTES), varint(bytes.length), bytes]);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
