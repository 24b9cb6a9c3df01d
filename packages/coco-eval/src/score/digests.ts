import type { EvalArrays } from './arrays.ts';

/** SHA-256 of each array as float64, little endian, row-major: what two evaluations are compared by. */
export interface ArrayDigests {
  readonly precision: string;
  readonly recall: string;
  readonly scores: string;
}

/** Digests of the three arrays. Uses the web's crypto, which Node has too. */
export async function arrayDigests({ precision, recall, scores }: EvalArrays): Promise<ArrayDigests> {
  return { precision: await sha256(precision), recall: await sha256(recall), scores: await sha256(scores) };
}

async function sha256(values: Float64Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', littleEndian(values));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The bytes of an array of doubles, low byte first whatever the machine. */
export function littleEndian(values: Float64Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setFloat64(8 * i, value, true));
  return bytes;
}
