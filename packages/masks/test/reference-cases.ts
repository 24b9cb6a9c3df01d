// The cases of tools/reference/masks.py, drawn from the same seeds. Keep the two in step.
import { createHash } from 'node:crypto';
import type { RunLengths } from '@rcnn/core';
import { Draw } from '@rcnn/shared/seeded';
import {
  decodeColumns,
  encodeColumns,
  maskIoU,
  mergeRuns,
  runsArea,
  runsBox,
  runsFromBox,
  runsFromPolygons,
  runsToString,
} from '../src/index.ts';

const DENOMINATORS = [1, 2, 5, 10, 100];

type Size = readonly [number, number];

export function drawPolygon(draw: Draw, [h, w]: Size): number[] {
  const den = DENOMINATORS[draw.next(5)]!;
  const points = 3 + draw.next(10);
  const flat: number[] = [];
  for (let i = 0; i < points; i++) {
    flat.push((draw.next((w + 20) * den) - 10 * den) / den, (draw.next((h + 20) * den) - 10 * den) / den);
  }
  return flat;
}

function drawBox(draw: Draw, [h, w]: Size): number[] {
  const den = DENOMINATORS[draw.next(5)]!;
  return [
    (draw.next((w + 20) * den) - 10 * den) / den,
    (draw.next((h + 20) * den) - 10 * den) / den,
    draw.next((w + 10) * den) / den,
    draw.next((h + 10) * den) / den,
  ];
}

/** Column-major. */
export function drawBitmap(draw: Draw, [h, w]: Size): Uint8Array {
  const longest = 1 + draw.next(2 * h);
  const flat = new Uint8Array(h * w);
  let at = 0;
  let value = draw.next(2);
  while (at < h * w) {
    const end = Math.min(h * w, at + 1 + draw.next(longest));
    flat.fill(value, at, end);
    at = end;
    value = 1 - value;
  }
  return flat;
}

function drawMask(draw: Draw, size: Size): RunLengths {
  const kind = draw.next(4);
  if (kind === 0) {
    const parts = 1 + (draw.next(4) === 0 ? draw.next(3) : 0);
    return runsFromPolygons(
      Array.from({ length: parts }, () => drawPolygon(draw, size)),
      size,
    );
  }
  if (kind === 1) return runsFromBox(drawBox(draw, size), size);
  if (kind === 2) {
    const bitmap = drawBitmap(draw, size);
    const runs = encodeColumns(bitmap, size);
    if (Buffer.compare(decodeColumns(runs), bitmap) !== 0) throw new Error('a bitmap does not come back');
    return runs;
  }
  return mergeRuns(
    [runsFromPolygons([drawPolygon(draw, size)], size), runsFromPolygons([drawPolygon(draw, size)], size)],
    'intersection',
  );
}

export function referenceCase(seed: number): { text: string; numbers: Float64Array } {
  const draw = new Draw(seed);
  const bound = draw.next(8) === 0 ? 300 : 40;
  const size: Size = [1 + draw.next(bound), 1 + draw.next(bound)];
  const mask = drawMask(draw, size);
  const other = runsFromPolygons([drawPolygon(draw, size)], size);
  const iou = maskIoU([mask], [other], [draw.next(2)])[0]!;
  return { text: runsToString(mask), numbers: Float64Array.of(runsArea(mask), ...runsBox(mask), iou) };
}

/** SHA-256 over the 1,000 cases of a batch. */
export function batchDigest(batch: number): string {
  const hash = createHash('sha256');
  for (let i = 0; i < 1000; i++) {
    const { text, numbers } = referenceCase(batch * 1000 + i);
    hash.update(`${text}\n`).update(new Uint8Array(numbers.buffer)); // little endian, as every machine Node runs on
  }
  return hash.digest('hex');
}
