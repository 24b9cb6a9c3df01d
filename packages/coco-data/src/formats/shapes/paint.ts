import type { PixelImage } from '@rcnn/core';
import type { Random } from '@rcnn/core/random';
import type { PatchMask } from '@rcnn/transforms';

type Size = readonly [height: number, width: number];
type Color = readonly [number, number, number];

/** A ground of two colours that run into each other, clouded by a coarse random grid. Values in 0 … 255. */
export function backgroundPixels([height, width]: Size, random: Random): Float32Array {
  const [from, to] = [randomColor(random, 0.4), randomColor(random, 0.4)];
  const angle = random.uniform(0, 2 * Math.PI);
  const clouds = cloudGrid(random);
  const strength = random.uniform(10, 50);
  const pixels = new Float32Array(height * width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const along = ((x / width - 0.5) * Math.cos(angle) + (y / height - 0.5) * Math.sin(angle)) / Math.SQRT2 + 0.5;
      const cloud = strength * cloudAt(clouds, x / width, y / height);
      for (let c = 0; c < 3; c++) pixels[at++] = from[c]! * (1 - along) + to[c]! * along + cloud;
    }
  }
  return pixels;
}

/** Fills a mask with a colour of its own that gets lighter towards one side, sometimes striped. */
export function paint(pixels: Float32Array, [, width]: Size, mask: PatchMask, random: Random): void {
  const color = randomColor(random, 1);
  const shade = random.uniform(-60, 60);
  const stripe = random.chance(0.3) ? random.uniform(15, 40) : 0;
  const period = random.uniform(3, 9);
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      if (mask.data[y * mask.width + x] === 0) continue;
      const light = shade * (y / mask.height - 0.5) + stripe * Math.sin((x + y) / period);
      const at = ((mask.y + y) * width + mask.x + x) * 3;
      for (let c = 0; c < 3; c++) pixels[at + c] = color[c]! + light;
    }
  }
}

/** Adds the noise of every pixel and rounds. */
export function finishPixels(pixels: Float32Array, [height, width]: Size, noise: number, random: Random): PixelImage {
  const data = new Uint8Array(pixels.length);
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.min(255, Math.max(0, Math.round(pixels[i]! + random.normal(0, noise))));
  }
  return { data, height, width, channels: 3 };
}

const CLOUDS = 6;

function cloudGrid(random: Random): Float32Array {
  return Float32Array.from({ length: (CLOUDS + 1) ** 2 }, () => random.uniform(-1, 1));
}

function cloudAt(grid: Float32Array, u: number, v: number): number {
  const [x, y] = [u * CLOUDS, v * CLOUDS];
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - column, y - row];
  const at = row * (CLOUDS + 1) + column;
  const top = grid[at]! * (1 - fx) + grid[at + 1]! * fx;
  const bottom = grid[at + CLOUDS + 1]! * (1 - fx) + grid[at + CLOUDS + 2]! * fx;
  return top * (1 - fy) + bottom * fy;
}

/** Full saturation gives the objects' colours, less the ground's. */
function randomColor(random: Random, saturation: number): Color {
  const hue = random.uniform(0, 6);
  const value = random.uniform(90, 235);
  const channel = (offset: number): number => {
    const k = (offset + hue) % 6;
    return value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}
