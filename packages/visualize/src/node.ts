import { createRequire } from 'node:module';
import { createCanvas as createNativeCanvas, GlobalFonts, type Canvas as NodeCanvas } from '@napi-rs/canvas';
import type { CanvasFactory } from './canvas.ts';

export type { NodeCanvas };

let fontsReady = false;

/** A canvas in Node, with the font Inter at hand: pictures are the same on machines without any font. */
export const createCanvas: CanvasFactory<NodeCanvas> = (width, height) => {
  if (!fontsReady) registerFonts();
  return createNativeCanvas(width, height);
};

/** The bytes of a PNG file. */
export function encodePng(canvas: NodeCanvas): Uint8Array {
  return canvas.toBuffer('image/png');
}

function registerFonts(): void {
  const require = createRequire(import.meta.url);
  for (const weight of [400, 600]) {
    GlobalFonts.registerFromPath(
      require.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`),
      'Inter',
    );
  }
  fontsReady = true;
}
