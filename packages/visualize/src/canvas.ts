/** The pixels that {@link Context2D.putImageData} takes: `RGBA RGBA …`, rows from the top. */
export interface CanvasPixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/**
 * The part of a Canvas 2D context that the annotators use. `CanvasRenderingContext2D`, `OffscreenCanvas`' context and
 * the context of `@napi-rs/canvas` all have this shape, so the same drawing code runs in a browser and in Node.
 */
export interface Context2D {
  fillStyle: unknown;
  strokeStyle: unknown;
  lineWidth: number;
  lineJoin: string;
  lineCap: string;
  font: string;
  textBaseline: string;
  textAlign: string;
  globalAlpha: number;
  fillRect(x: number, y: number, width: number, height: number): void;
  strokeRect(x: number, y: number, width: number, height: number): void;
  beginPath(): void;
  closePath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  arc(x: number, y: number, radius: number, start: number, end: number): void;
  rect(x: number, y: number, width: number, height: number): void;
  fill(): void;
  stroke(): void;
  clip(): void;
  save(): void;
  restore(): void;
  translate(x: number, y: number): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
  createImageData(width: number, height: number): CanvasPixels;
  getImageData(x: number, y: number, width: number, height: number): CanvasPixels;
  putImageData(pixels: CanvasPixels, x: number, y: number): void;
}

/** A canvas of either world. Each declares a context type of its own; {@link contextOf} gives the part we use. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d', options?: { readonly willReadFrequently?: boolean }): unknown;
}

/** Makes an empty canvas; `createCanvas` of `@rcnn/visualize/node`, or {@link offscreenCanvas} in a browser. */
export type CanvasFactory<C extends Canvas = Canvas> = (width: number, height: number) => C;

/** The factory for browsers and workers. */
export const offscreenCanvas: CanvasFactory<OffscreenCanvas> = (width, height) => new OffscreenCanvas(width, height);

/** The 2D context of a canvas; every canvas we make has one. Masks are blended into its pixels, so these are read back. */
export function contextOf(canvas: Canvas): Context2D {
  return canvas.getContext('2d', { willReadFrequently: true }) as Context2D;
}
