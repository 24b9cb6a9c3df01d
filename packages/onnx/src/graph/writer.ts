import { storedShape, toStored } from '@rcnn/checkpoint';
import { type GraphWeight, hostValues, type Parameter, RcnnError, tensorsAreOnHost } from '@rcnn/core';
import * as tf from '@tensorflow/tfjs-core';
import { encodeModel } from '../format/encode.ts';
import type { Attribute, OnnxModel, OnnxNode, OnnxPort, OnnxTensor } from '../format/model.ts';
import { isPacked, type Precision, packWeight, unpackWeight } from './precision.ts';

/** What a graph's file says beside the graph. */
export type GraphTexts = Pick<OnnxModel, 'name' | 'about' | 'producer' | 'metadata'>;

/** Numbers that will be in the file. */
interface Weight {
  readonly name: string;
  readonly weight: GraphWeight;
  /** References of our own, so that the caller may dispose its ones. */
  readonly value: tf.Tensor;
  readonly scale: tf.Tensor | undefined;
}

/**
 * Collects the nodes and constants of one ONNX graph. Values are known by their names. Weights are read from the engine
 * when the graph is finished; until then the writer holds tensors: dispose it.
 */
export class OnnxWriter {
  readonly opset: number;
  readonly #precision: Precision;
  readonly #names: ReadonlyMap<Parameter, string>;
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxTensor>();
  readonly #weights = new Map<string, Weight>();
  readonly #counts = new Map<string, number>();
  readonly #inputs: OnnxPort[] = [];
  readonly #outputs: OnnxPort[] = [];
  readonly #unpacked = new Map<string, string>();
  #scope = '';

  /** @param names what weights are called in the file: a model's `namedParameters`, read backwards */
  constructor(opset: number, precision: Precision, names: ReadonlyMap<Parameter, string>) {
    this.opset = opset;
    this.#precision = precision;
    this.#names = names;
  }

  /** Begins the names of what follows: how viewers group the nodes. */
  scope(name: string): void {
    this.#scope = name;
  }

  input(port: OnnxPort): string {
    this.#inputs.push(port);
    return port.name;
  }

  /** Makes `value` an output under the name of `port`. */
  output(value: string, port: OnnxPort): void {
    this.#nodes.push({ op: 'Identity', inputs: [value], outputs: [port.name], attributes: {} });
    this.#outputs.push(port);
  }

  /** A node with one output; gives that one's name. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.nodeOf(1, op, inputs, attributes)[0]!;
  }

  /** A node with several outputs. */
  nodeOf(
    count: number,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const name = this.#fresh(op);
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.#nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  int64(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant('int64', shape, BigInt64Array.from(values, BigInt));
  }

  float32(values: ArrayLike<number>, shape: readonly number[] = [values.length]): string {
    return this.#constant('float32', shape, Float32Array.from(values));
  }

  double(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant('double', shape, Float64Array.from(values));
  }

  /** A weight in PyTorch's layout, which is ONNX's too. The same numbers are written once, however often they are used. */
  weight(weight: GraphWeight): string {
    const { parameter, value = parameter.value, scale } = weight;
    const own = this.#names.get(parameter);
    const name = own ?? this.#fresh('weight');
    const known = this.#weights.get(name);
    const isKnown = known !== undefined && known.weight.value === weight.value && known.weight.scale === scale;
    if (isKnown) return this.#asFloat(name, known);
    const entry: Weight = {
      name: known === undefined ? name : this.#fresh(name),
      weight,
      value: tf.clone(value),
      scale: scale && tf.clone(scale),
    };
    this.#weights.set(entry.name, entry);
    return this.#asFloat(entry.name, entry);
  }

  /**
   * Reads the weights and gives the bytes of the file. The writer is of no further use.
   * @param checked whether a weight that is no number is refused. Default true
   */
  async finish(texts: GraphTexts, { checked = true }: { checked?: boolean } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const constants = [...this.#constants.values()];
    for (const entry of this.#weights.values()) {
      const { name, weight, value } = entry;
      const layout = weight.layout ?? weight.parameter.layout;
      const shape = storedShape(value.shape, layout);
      const read = async (): Promise<Float32Array> => {
        const values = toStored(await valuesOf(entry), value.shape, layout);
        if (checked) checkFinite(name, values);
        return values;
      };
      constants.push(...packWeight({ name, shape, layout, read }, this.#precision));
    }
    return encodeModel({
      ...texts,
      opset: this.opset,
      nodes: this.#nodes,
      constants,
      inputs: this.#inputs,
      outputs: this.#outputs,
    });
  }

  dispose(): void {
    for (const { value, scale } of this.#weights.values()) tf.dispose([value, ...(scale ? [scale] : [])]);
    this.#weights.clear();
  }

  /** The weight as float32, whatever it is stored as; unpacked once. */
  #asFloat(name: string, { weight }: Weight): string {
    const layout = weight.layout ?? weight.parameter.layout;
    if (!isPacked(layout, this.#precision)) return name;
    const known = this.#unpacked.get(name) ?? unpackWeight(this, name, layout, this.#precision);
    this.#unpacked.set(name, known);
    return known;
  }

  #constant(type: OnnxTensor['type'], shape: readonly number[], data: ArrayBufferView): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${type}[${shape.join()}]${bytes.join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known.name;
    const name = this.#fresh('constant');
    this.#constants.set(key, { name, type, shape, bytes: () => bytes });
    return name;
  }

  #fresh(kind: string): string {
    const path = this.#scope === '' ? kind : `${this.#scope}/${kind}`;
    const count = this.#counts.get(path) ?? 0;
    this.#counts.set(path, count + 1);
    return `${path}_${count}`;
  }
}

/** The numbers of a weight in our order, scaled. Not to be written to. */
async function valuesOf({ value, scale }: Weight): Promise<Float32Array> {
  const values = tensorsAreOnHost() ? hostValues(value) : await value.data<'float32'>();
  if (scale === undefined) return values;
  const factors = await scale.data<'float32'>();
  const scaled = new Float32Array(values.length);
  for (let from = 0; from < values.length; from += factors.length) {
    for (let channel = 0; channel < factors.length; channel++) {
      scaled[from + channel] = values[from + channel]! * factors[channel]!;
    }
  }
  return scaled;
}

function checkFinite(name: string, values: Float32Array): void {
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return;
  throw new RcnnError('NON_FINITE', {
    where: 'export',
    place: name,
    problem: 'a weight that is no number',
    found: String(values[wrong]),
    hint: 'Such a model finds nothing: look at how it was trained.',
  });
}
