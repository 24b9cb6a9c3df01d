import type { OnnxWriter } from '../graph/writer.ts';

/** Our maps have their channels last, ONNX's first. */
export function toChannelsFirst(graph: OnnxWriter, value: string): string {
  return graph.node('Transpose', [value], { perm: [0, 3, 1, 2] });
}

/** onnxruntime takes this and its own blocked layout in one step. */
export function toChannelsLast(graph: OnnxWriter, value: string): string {
  return graph.node('Transpose', [value], { perm: [0, 2, 3, 1] });
}
