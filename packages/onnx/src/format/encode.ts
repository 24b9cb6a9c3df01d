import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  type Attribute,
  bytesOfTensor,
  ELEMENT,
  type OnnxModel,
  type OnnxNode,
  type OnnxPort,
  type OnnxTensor,
} from './model.ts';

/** Version of the file format that came with an opset. */
function irVersion(opset: number): number {
  if (opset >= 21) return 10;
  return opset >= 19 ? 9 : 8;
}

/** The bytes of an `.onnx` file. Field numbers are those of onnx.proto. */
export async function encodeModel(model: OnnxModel): Promise<Uint8Array<ArrayBuffer>> {
  const pieces = [...headerOf(model), ...inside(7, graphOf(model)), ...footerOf(model)];
  const file = new Uint8Array(pieces.reduce((sum, piece) => sum + lengthOf(piece), 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece instanceof Uint8Array ? piece : await piece.bytes(), at);
    at += lengthOf(piece);
  }
  return file;
}

/** A part of the file: bytes, or the numbers of a constant, which are large and read when their turn comes. */
type Piece = Uint8Array | OnnxTensor;

function lengthOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : bytesOfTensor(piece);
}

/** A message that holds these pieces, as a field of another. */
function inside(field: number, pieces: readonly Piece[]): Piece[] {
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  return [written((writer) => writer.tag(field, WireType.LengthDelimited).int64(length)), ...pieces];
}

function written(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
}

function headerOf({ opset, producer, about }: OnnxModel): Piece[] {
  return [
    written((writer) => {
      integer(writer, 1, irVersion(opset));
      text(writer, 2, producer);
      text(writer, 6, about);
    }),
  ];
}

function graphOf({ name, about, nodes, constants, inputs, outputs }: OnnxModel): Piece[] {
  return [
    written((writer) => {
      for (const node of nodes) message(writer, 1, () => writeNode(writer, node));
      text(writer, 2, name);
    }),
    ...constants.flatMap((constant) => inside(5, tensorOf(constant))),
    written((writer) => {
      text(writer, 10, about);
      for (const port of inputs) message(writer, 11, () => writePort(writer, port));
      for (const port of outputs) message(writer, 12, () => writePort(writer, port));
    }),
  ];
}

function footerOf({ opset, metadata }: OnnxModel): Piece[] {
  return [
    written((writer) => {
      message(writer, 8, () => {
        text(writer, 1, ''); // the standard operators
        integer(writer, 2, opset);
      });
      for (const [key, value] of Object.entries(metadata)) {
        message(writer, 14, () => {
          text(writer, 1, key);
          text(writer, 2, value);
        });
      }
    }),
  ];
}

function writeNode(writer: BinaryWriter, { op, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, outputs[0]!); // the node's own name
  text(writer, 4, op);
  for (const [name, value] of Object.entries(attributes)) {
    message(writer, 5, () => writeAttribute(writer, name, value));
  }
}

/** Kinds of attributes, by onnx.proto's numbers. */
const KIND = { float: 1, int: 2, string: 3, ints: 7 };

function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): void {
  text(writer, 1, name);
  if (typeof value === 'number') integer(writer, 3, value);
  else if (typeof value === 'string') writer.tag(4, WireType.LengthDelimited).string(value);
  else if ('float' in value) writer.tag(2, WireType.Bit32).float(value.float);
  else for (const item of value) integer(writer, 8, item);
  integer(writer, 20, kindOf(value));
}

function kindOf(value: Attribute): number {
  if (typeof value === 'number') return KIND.int;
  if (typeof value === 'string') return KIND.string;
  return 'float' in value ? KIND.float : KIND.ints;
}

function tensorOf(tensor: OnnxTensor): Piece[] {
  const { name, type, shape } = tensor;
  const before = written((writer) => {
    for (const side of shape) integer(writer, 1, side);
    integer(writer, 2, ELEMENT[type]);
    text(writer, 8, name);
  });
  return [before, ...inside(9, [tensor])];
}

function writePort(writer: BinaryWriter, { name, type, shape, about }: OnnxPort): void {
  text(writer, 1, name);
  message(writer, 2, () =>
    message(writer, 1, () => {
      integer(writer, 1, ELEMENT[type]);
      message(writer, 2, () => {
        for (const side of shape) {
          message(writer, 1, () => (typeof side === 'number' ? integer(writer, 1, side) : text(writer, 2, side)));
        }
      });
    }),
  );
  if (about !== undefined) text(writer, 3, about);
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}
