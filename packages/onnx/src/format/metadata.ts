import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { RcnnError } from '@rcnn/core';

const METADATA = 14;

/**
 * What a file says of itself, by key. Reads the outermost fields alone and skips the graph, weights included.
 * @throws FILE_MALFORMED when these are not the bytes of an ONNX model
 */
export function readMetadata(bytes: Uint8Array, where: string): Map<string, string> {
  const found = new Map<string, string>();
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field !== METADATA || wire !== WireType.LengthDelimited) {
        reader.skip(wire, field);
        continue;
      }
      const [key, value] = readEntry(reader.bytes());
      found.set(key, value);
    }
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', {
      where,
      problem: 'this is no ONNX model, or the file is cut off',
      hint: 'Export the model again.',
      cause,
    });
  }
  return found;
}

function readEntry(bytes: Uint8Array): [key: string, value: string] {
  const reader = new BinaryReader(bytes);
  let [key, value] = ['', ''];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.string();
    else reader.skip(wire, field);
  }
  return [key, value];
}
