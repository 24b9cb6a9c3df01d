import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Random } from '@rcnn/core/random';
import sharp from 'sharp';
import { pack } from 'tar-stream';

const SIDE = 48;

/** Writes pictures with a disc or two each into as many archives, and `all.txt`, the list of these. */
export async function writeArchives(folder: string, pictures: number, archives: number): Promise<void> {
  const random = new Random(1);
  const names: string[] = [];
  let next = 0;
  for (let k = 0; k < archives; k++) {
    const name = `${String(k).padStart(5, '0')}.tar`;
    const archive = pack();
    const written = pipeline(archive, createWriteStream(join(folder, name)));
    for (const end = Math.round(((k + 1) * pictures) / archives); next < end; next++) {
      archive.entry({ name: `${String(next).padStart(7, '0')}.png` }, await picture(random));
    }
    archive.finalize();
    await written;
    names.push(name);
  }
  writeFileSync(join(folder, 'all.txt'), `${names.join('\n')}\n`);
}

function picture(random: Random): Promise<Buffer> {
  const pixels = new Uint8Array(SIDE * SIDE * 3).fill(Math.floor(256 * random.uniform()));
  for (let disc = 0; disc < 2; disc++) {
    const [x, y, radius] = [SIDE * random.uniform(), SIDE * random.uniform(), 4 + 10 * random.uniform()] as const;
    const color = [0, 1, 2].map(() => Math.floor(256 * random.uniform()));
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (Math.hypot((i % SIDE) - x, Math.floor(i / SIDE) - y) < radius) pixels.set(color, 3 * i);
    }
  }
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}
