/** What a correlation reads: the taps of a filter, and the window that they make on a map. */
import type { Attribute } from '../../onnx.ts';

/**
 * Which matrices of a filter to use, and how. `offsets` tells for each tap, row by row, where its
 * `[I / groups, O]` matrix begins in the filter; `transposed` swaps the roles of I and O, as going backwards does.
 */
export interface Taps {
  readonly rows: number;
  readonly columns: number;
  readonly offsets: readonly number[];
  readonly transposed: boolean;
  /** Groups of channels that do not see each other; 1 is a dense filter. */
  readonly groups: number;
}

export interface Window {
  /** Zeros around the map: top, left, bottom, right. None is negative. */
  readonly pads: readonly [number, number, number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

export const tapsKey = ({ rows, columns, offsets, transposed }: Taps): string =>
  `${rows}x${columns} ${transposed ? 'back' : 'forth'} ${offsets.join()}`;

export function windowAttributes(
  { rows, columns }: Taps,
  { pads, strides, dilations }: Window,
  group = 1,
): Readonly<Record<string, Attribute>> {
  return { kernel_shape: [rows, columns], pads: [...pads], strides: [...strides], dilations: [...dilations], group };
}

export const windowKey = ({ rows, columns }: Taps, { pads, strides, dilations }: Window, group = 1): string =>
  `${rows}x${columns} pads ${pads.join()} strides ${strides.join()} dilations ${dilations.join()} groups ${group}`;
