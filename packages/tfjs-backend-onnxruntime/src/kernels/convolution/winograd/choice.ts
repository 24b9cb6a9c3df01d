/** When a 3x3 convolution is done by Winograd's method and when directly. */
import type { OrtBackend } from '../../../backend.ts';
import { type ConvSize, type Pass, winogradGain } from '../../../winograd-cost.ts';

/**
 * Whether to take Winograd's way for a result (`map`) or for the gradient of a filter. By a rule and not by a stopwatch:
 * the two differ in their last bits, and the same training has to give the same bits each time, on a busy machine too.
 */
export function prefersWinograd(backend: OrtBackend, pass: Pass, size: ConvSize): boolean {
  if (backend.convolutions !== 'auto') return backend.convolutions === 'winograd';
  return winogradGain(backend.sessions.threads, pass, size) > 1;
}
