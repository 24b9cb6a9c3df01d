import type { Detector } from '@rcnn/core';
import type { CompileChoice } from '@rcnn/onnx';

/**
 * A model that predicts by whole graphs where that is asked for or, with `auto`, possible; disposed, it disposes the
 * model.
 */
export async function compiled(model: Detector, choice: CompileChoice = 'auto'): Promise<Detector> {
  if (choice === 'off') return model;
  const { compileAs } = await import('@rcnn/onnx');
  return compileAs(model, choice);
}
