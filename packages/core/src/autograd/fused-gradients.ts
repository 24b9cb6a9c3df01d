import * as tf from '@tensorflow/tfjs-core';

/**
 * Gradients of the fused kernels. tfjs-core differentiates its fused ops by running them unfused; with these, the
 * kernels themselves can be put on a tape: one pass over memory forward, and nothing computed that nobody asked for.
 */

interface FusedConv2DAttrs {
  strides: [number, number];
  pad: 'valid' | 'same' | number;
  dataFormat: 'NHWC';
  dilations: [number, number];
  activation: FusedActivation;
}

/** Activations whose gradient is known from the output alone. */
export type FusedActivation = 'linear' | 'relu' | 'relu6';

/** The gradient before the activation: `dy` where the output is positive, and below 6 if it is cut off there. */
function beforeActivation(dy: tf.Tensor, y: tf.Tensor, activation: FusedActivation): tf.Tensor {
  if (activation === 'linear') return dy;
  const passed = tf.mul(dy, tf.step(y));
  return activation === 'relu6' ? tf.mul(passed, tf.less(y, 6)) : passed;
}

/** A convolution and its activation: the kernels that take the gradient back to its map and to its filter. */
function registerFusedConvolution(fused: string, toInput: string, toFilter: string): void {
  tf.registerGradient({
    kernelName: fused,
    inputsToSave: ['x', 'filter'],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const [x, filter, y] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      const { strides, pad, dataFormat, dilations, activation } = attrs as unknown as FusedConv2DAttrs;
      const d = beforeActivation(dy as tf.Tensor, y, activation) as tf.Tensor4D;
      const shared = { strides, pad, dataFormat, dilations, dimRoundingMode: undefined };
      return {
        x: () => run(toInput, { dy: d, filter }, { ...shared, inputShape: x.shape }),
        filter: () => run(toFilter, { x, dy: d }, { ...shared, filterShape: filter.shape }),
        bias: () => tf.sum(d, [0, 1, 2]),
      };
    },
  });
}

registerFusedConvolution(tf.FusedConv2D, tf.Conv2DBackpropInput, tf.Conv2DBackpropFilter);
registerFusedConvolution(
  tf.FusedDepthwiseConv2D,
  tf.DepthwiseConv2dNativeBackpropInput,
  tf.DepthwiseConv2dNativeBackpropFilter,
);

/** A convolution whose channels lie in groups, with bias and activation: for engines that have it. tfjs has none. */
export const GROUPED = 'GroupedConv2D';

registerFusedConvolution(GROUPED, 'GroupedConv2DBackpropInput', 'GroupedConv2DBackpropFilter');

tf.registerGradient({
  kernelName: tf._FusedMatMul,
  inputsToSave: ['a', 'b'],
  outputsToSave: [true],
  gradFunc: (dy, saved, attrs) => {
    const [a, b, y] = saved as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const { activation } = attrs as unknown as { activation: FusedActivation };
    const d = beforeActivation(dy as tf.Tensor, y, activation) as tf.Tensor3D;
    // Only used here without transposition: a [1, R, I], b [1, I, O].
    return {
      a: () => tf.matMul(d, b, false, true),
      b: () => tf.matMul(a, d, true, false),
      bias: () => tf.sum(d, [0, 1]),
    };
  },
});

function run(kernel: string, inputs: Record<string, tf.Tensor>, attrs: object): tf.Tensor {
  return tf.engine().runKernel(kernel, inputs as tf.NamedTensorMap, attrs as tf.NamedAttrMap) as tf.Tensor;
}
