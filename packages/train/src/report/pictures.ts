import { atomicWrite } from '@rcnn/checkpoint/node';
import type { Dataset } from '@rcnn/coco-data';
import type { TrainingBatch } from '@rcnn/optim';
import {
  drawnDetections,
  drawnTarget,
  drawSheet,
  drawSixPanels,
  everything,
  type Panel,
  type Skeleton,
} from '@rcnn/visualize';
import { createCanvas, type NodeCanvas } from '@rcnn/visualize/node';
import sharp from 'sharp';
import type { Example } from '../loop/evaluate.ts';

/** A batch as the model is shown it, after augmentation. */
export async function drawBatch(path: string, { images, targets }: TrainingBatch, drawing: Legend): Promise<void> {
  const panels = images.map((image, i): Panel => {
    const objects = drawnTarget(targets[i]!);
    return { image, objects, annotators: everything(), title: `image ${targets[i]!.imageId ?? i + 1}` };
  });
  await writePng(path, drawSheet(createCanvas, panels, { ...drawing, panelSide: 360 }));
}

/** What drawn objects are called, and which of their key points belong together. */
export interface Legend {
  readonly names: ReadonlyMap<number, string>;
  readonly skeleton?: Skeleton | undefined;
}

/** Of what is drawn. */
interface DrawOptions extends Legend {
  /** Detections below it are not drawn: a picture full of doubtful boxes shows nothing. */
  readonly scoreThreshold: number;
}

/** Truth and prediction side by side, two examples to a row. */
export async function drawExamples(
  path: string,
  examples: readonly Example[],
  { scoreThreshold, ...legend }: DrawOptions,
): Promise<void> {
  const panels = examples.flatMap(({ image, target, detections, errors }): Panel[] => [
    { image, objects: drawnTarget(target), annotators: everything(), title: `truth: image ${target.imageId}` },
    {
      image,
      objects: drawnDetections(detections, scoreThreshold),
      annotators: everything(),
      title: errors ? `${errors.missed} missed, ${errors.wrong} wrong` : `found from ${scoreThreshold.toFixed(2)} on`,
    },
  ]);
  await writePng(path, drawSheet(createCanvas, panels, { columns: 4, ...legend, panelSide: 320 }));
}

/** The six panels of one example. */
export async function drawReport(
  path: string,
  { image, detections }: Example,
  { scoreThreshold, ...legend }: DrawOptions,
): Promise<void> {
  await writePng(path, drawSixPanels(createCanvas, image, drawnDetections(detections, scoreThreshold), legend));
}

/** Class names by label, and the lines between key points. */
export function legendOf({ classes, keypointScheme }: Dataset): Legend {
  const names = new Map(classes.classes.map(({ label, name }) => [label, name]));
  return { names, skeleton: keypointScheme?.skeleton };
}

/** In less than half the time that the canvas itself takes, and not on this thread: a run writes a dozen pictures. */
async function writePng(path: string, canvas: NodeCanvas): Promise<void> {
  const { width, height } = canvas;
  const pixels = sharp(canvas.data(), { raw: { width, height, channels: 4 } });
  await atomicWrite(path, await pixels.removeAlpha().png({ compressionLevel: 3, adaptiveFiltering: true }).toBuffer());
}
