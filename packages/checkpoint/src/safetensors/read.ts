import { RcnnError } from '@rcnn/core/errors';
import { type ByteSource, checkRange } from '../byte-source.ts';
import { sliceEntry, type TensorEntry, type TensorSource } from '../tensor-source.ts';
import { type Header, LONGEST_HEADER, MAX_HEADER_BYTES, parseHeader } from './header.ts';

/** A safetensors file that is open: its tensors, and the header as it stands in the file. */
export interface SafetensorsSource extends TensorSource {
  readonly format: 'safetensors';
  /** The JSON text with its padding, as bytes. */
  readonly headerBytes: Uint8Array;
}

/**
 * Opens a safetensors file (https://github.com/huggingface/safetensors): reads and checks its header, and nothing else.
 * @throws FILE_TRUNCATED, FILE_MALFORMED, FILE_REFUSED, BUDGET_EXCEEDED
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsSource> {
  const where = source.name;
  checkRange(source, 0, 8);
  const prefix = await source.read(0, 8);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  if (length > LONGEST_HEADER) {
    throw new RcnnError('FILE_MALFORMED', {
      where,
      place: 'byte 0',
      problem: 'the header is too long',
      found: `${length} bytes`,
      expected: `at most ${LONGEST_HEADER}`,
      hint: 'Is this a safetensors file?',
    });
  }
  checkRange(source, 8, length);
  if (length > MAX_HEADER_BYTES) {
    throw new RcnnError('BUDGET_EXCEEDED', {
      where,
      place: 'byte 0',
      problem: 'the header is larger than any real one',
      found: `${length} bytes`,
      expected: `at most ${MAX_HEADER_BYTES}`,
    });
  }
  const headerBytes = await source.read(8, length);
  if (headerBytes[0] !== 0x7b) {
    throw new RcnnError('FILE_MALFORMED', { where, place: 'byte 8', problem: "the header does not begin with '{'" });
  }
  const header: Header = parseHeader(headerBytes, where, 8 + length, source.size);
  const tensors = new Map<string, TensorEntry>();
  for (const entry of header.entries) tensors.set(entry.name, sliceEntry(source, entry.offset, entry));
  return {
    name: where,
    format: 'safetensors',
    tensors,
    metadata: header.metadata,
    headerBytes,
    close: () => source.close(),
  };
}
