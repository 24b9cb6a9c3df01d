// First tfjs-core itself: whoever comes first makes the global engine, and the bundle below holds a copy of its own.
import '@tensorflow/tfjs-core';
import '../../generated/register-all-gradients.js';
import './fused-gradients.ts';
import './resize-gradient.ts';
import './sum-gradient.ts';

/**
 * Importing this module makes `tf.grad` work with `@tensorflow/tfjs-core` alone, in Node and in a bundle.
 * `@rcnn/core` does so by itself.
 */
export const gradientsRegistered = true;
