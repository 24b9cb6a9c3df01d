import type { PixelImage } from '@rcnn/core';
import {
  boxAnnotator,
  contourAnnotator,
  type DrawnObject,
  drawPanel,
  labelAnnotator,
  maskAnnotator,
} from '@rcnn/visualize';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface DrawnProps {
  readonly image: PixelImage;
  readonly objects: readonly DrawnObject[];
  readonly names: ReadonlyMap<number, string>;
  /** What is to be seen, for who cannot see it. */
  readonly title: string;
  /** Longer side in pixels of the canvas. */
  readonly side: number;
}

const annotators = [maskAnnotator(), contourAnnotator(), boxAnnotator(), labelAnnotator()];

const createCanvas = (width: number, height: number): HTMLCanvasElement =>
  Object.assign(document.createElement('canvas'), { width, height });

/** A picture with its objects drawn in. */
export function Drawn({ image, objects, names, title, side }: DrawnProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const scale = side / Math.max(image.width, image.height);
    place.current!.replaceChildren(drawPanel(createCanvas, { image, objects, annotators }, scale, { names }));
  }, [image, objects, names, side]);
  return <div ref={place} class="drawn" role="img" aria-label={title} />;
}
