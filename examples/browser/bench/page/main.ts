// The page of the benchmark: opens one model on one engine, and predicts when it is asked to.
import { loadStateDict } from '@rcnn/checkpoint';
import { type Detector, type PixelImage, useEngine, withoutInitialising } from '@rcnn/core';
import { hashedUnits, hashedWeights } from '@rcnn/fixtures/hashed-weights';
import { compileAs } from '@rcnn/onnx';
import { type MaskRCNN, maskRcnnResnet50Fpn, maskRcnnSmall } from 'mask-rcnn';
import { loaders, models } from '../../src/engine.ts';
import type { OpenedWay, PageTurn, SubjectName, WayName } from '../ways.ts';

interface Subject {
  /** Of the square image, in pixels. */
  readonly side: number;
  readonly make: () => MaskRCNN;
}

const SUBJECTS: Readonly<Record<SubjectName, Subject>> = {
  small: { side: 128, make: () => maskRcnnSmall({ numClasses: 5 }) },
  r50: { side: 640, make: () => maskRcnnResnet50Fpn({ minSize: 640, maxSize: 640 }) },
};

let detector: Detector;
let image: PixelImage;

async function open(way: WayName, subject: SubjectName): Promise<OpenedWay> {
  const { side, make } = SUBJECTS[subject];
  const whole = way === 'onnxruntime-web';
  const engine = await useEngine(whole ? 'auto' : way, { loaders, ...(whole && { models }) });
  if (whole && engine.models === undefined) throw new Error(engine.whyNoModels ?? `${engine.name} is left alone`);
  const model = withoutInitialising(make);
  await loadStateDict(model, hashedWeights(model, 'dev/'));
  detector = compileAs(model, whole ? 'on' : 'off');
  image = { data: Float32Array.from(hashedUnits('image', side * side * 3)), height: side, width: side, channels: 3 };
  const threads =
    engine.threads === undefined ? '' : `, ${engine.threads === 1 ? '1 thread' : `${engine.threads} threads`}`;
  return { device: engine.models ?? `tfjs (${engine.device}${threads})`, software: engine.software === true };
}

async function predict(): Promise<PageTurn> {
  const start = performance.now();
  const [found] = await detector.detect([image]);
  const detections = found!.map(({ mask }) => mask!.rle()).length;
  return { ms: performance.now() - start, detections };
}

Object.assign(globalThis, { bench: { open, predict } });
