import type { RunLengths } from '@rcnn/core';
import { runsBox } from '../runs/runs.ts';

/** One connected part of a mask. Outlines are flat `x0, y0, x1, y1, …` lists along pixel edges, in pixels. */
export interface Contour {
  /** Clockwise on the screen. */
  readonly outer: number[];
  /** Counter-clockwise; none for most parts. */
  readonly holes: number[][];
}

/**
 * The outlines of a mask, part by part, exactly along the edges of its pixels: filling them again gives the mask back.
 * Pixels that touch at a corner only are parts of their own.
 */
export function contours(runs: RunLengths): Contour[] {
  const grid = cropped(runs);
  if (grid === undefined) return [];
  const labels = labelParts(grid);
  const parts = new Map<number, { outer: number[]; holes: number[][] }>();
  const visited = new Uint8Array(grid.cells.length);
  const { cells, stride } = grid;
  for (let cell = stride; cell < cells.length - stride; cell++) {
    // Every outline has an edge with the object below it and background above: tracing starts there.
    if (cells[cell] === 0 || cells[cell - stride] !== 0 || visited[cell] !== 0) continue;
    const outline = trace(grid, cell, visited);
    const label = labels[cell]!;
    const part = parts.get(label) ?? { outer: [], holes: [] };
    parts.set(label, part);
    if (signedArea(outline) > 0) part.outer = outline;
    else part.holes.push(outline);
  }
  return [...parts.values()];
}

/**
 * COCO polygons of a mask: one flat list per part. A hole is joined to its part by a cut of no width straight up, so
 * that the even-odd fill of COCO keeps it and the list fills to the same mask again.
 */
export function polygonsFromRuns(runs: RunLengths): number[][] {
  return contours(runs).map(({ outer, holes }) => joinHoles(outer, holes));
}

/** The object's box with a frame of one background cell around it, row-major. */
interface Grid {
  readonly cells: Uint8Array;
  readonly stride: number;
  readonly left: number;
  readonly top: number;
}

function cropped(runs: RunLengths): Grid | undefined {
  const [left, top, width, height] = runsBox(runs);
  if (width === 0 || height === 0) return undefined;
  const stride = width + 2;
  const cells = new Uint8Array(stride * (height + 2));
  const imageHeight = runs.size[0];
  let position = 0;
  for (let i = 1; i < runs.counts.length; i += 2) {
    const start = position + runs.counts[i - 1]!;
    position = start + runs.counts[i]!;
    for (let p = start; p < position; p++) {
      const x = Math.floor(p / imageHeight);
      cells[(p - x * imageHeight - top + 1) * stride + x - left + 1] = 1;
    }
  }
  return { cells, stride, left: left - 1, top: top - 1 };
}

/** Numbers the parts that hang together over pixel sides. */
function labelParts({ cells, stride }: Grid): Int32Array {
  const labels = new Int32Array(cells.length);
  const stack: number[] = [];
  let next = 0;
  for (let seed = 0; seed < cells.length; seed++) {
    if (cells[seed] === 0 || labels[seed] !== 0) continue;
    labels[seed] = ++next;
    stack.push(seed);
    for (let cell = stack.pop(); cell !== undefined; cell = stack.pop()) {
      for (const neighbour of [cell - 1, cell + 1, cell - stride, cell + stride]) {
        if (cells[neighbour] !== 0 && labels[neighbour] === 0) {
          labels[neighbour] = next;
          stack.push(neighbour);
        }
      }
    }
  }
  return labels;
}

const RIGHT = 0;
const DOWN = 1;
const LEFT = 2;

/** Follows pixel edges with the object on the right hand, from the top left corner of `start` until back there. */
function trace({ cells, stride, left, top }: Grid, start: number, visited: Uint8Array): number[] {
  const outline: number[] = [];
  let direction = RIGHT;
  let corner = start; // the corner at the top left of this cell
  do {
    if (direction === RIGHT) visited[corner] = 1;
    corner += direction === RIGHT ? 1 : direction === DOWN ? stride : direction === LEFT ? -1 : -stride;
    // The four cells around the corner; at a checkerboard the object turns right, which keeps its parts apart.
    const northWest = cells[corner - stride - 1]! !== 0;
    const northEast = cells[corner - stride]! !== 0;
    const southWest = cells[corner - 1]! !== 0;
    const southEast = cells[corner]! !== 0;
    const ahead = [southEast, southWest, northWest, northEast]; // right hand cell ahead, by direction
    const across = [northEast, southEast, southWest, northWest]; // left hand cell ahead
    const turn = ahead[direction]! ? (across[direction]! ? 3 : 0) : 1;
    if (turn !== 0) {
      const y = Math.floor(corner / stride);
      outline.push(corner - y * stride + left, y + top);
      direction = (direction + turn) % 4;
    }
  } while (corner !== start || direction !== RIGHT);
  return outline;
}

/** Positive when clockwise on the screen (y down). */
function signedArea(outline: readonly number[]): number {
  let area = 0;
  for (let i = 0; i < outline.length; i += 2) {
    const j = (i + 2) % outline.length;
    area += outline[i]! * outline[j + 1]! - outline[j]! * outline[i + 1]!;
  }
  return area / 2;
}

function joinHoles(outer: readonly number[], holes: readonly number[][]): number[] {
  let joined = [...outer];
  // From the top down, so that what a cut meets above it is already joined.
  const ordered = holes.map(startAtTop).sort((a, b) => a[1]! - b[1]! || a[0]! - b[0]!);
  for (const hole of ordered) joined = insertHole(joined, hole);
  return joined;
}

/** Turns the list so that it begins with its topmost, then leftmost, point. */
function startAtTop(outline: readonly number[]): number[] {
  let best = 0;
  for (let i = 2; i < outline.length; i += 2) {
    const higher = outline[i + 1]! - outline[best + 1]!;
    if (higher < 0 || (higher === 0 && outline[i]! < outline[best]!)) best = i;
  }
  return [...outline.slice(best), ...outline.slice(0, best)];
}

/** Cuts straight up from the hole's first point to the nearest horizontal edge above it. */
function insertHole(outline: readonly number[], hole: readonly number[]): number[] {
  const x = hole[0]!;
  const y = hole[1]!;
  let edge = -1;
  let height = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < outline.length; i += 2) {
    const j = (i + 2) % outline.length;
    const level = outline[i + 1]!;
    const spans = Math.min(outline[i]!, outline[j]!) <= x && x <= Math.max(outline[i]!, outline[j]!);
    if (level === outline[j + 1] && spans && level <= y && level > height) {
      edge = i;
      height = level;
    }
  }
  const cut = [x, height, ...hole, x, y, x, height];
  return [...outline.slice(0, edge + 2), ...cut, ...outline.slice(edge + 2)];
}
