// From VIA polygons to a trained model and pictures:  node dist/main.js path/to/balloon
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '@rcnn/coco-data/node';
import { consoleProgress, type PartialConfig, train } from '@rcnn/train';
import { drawnDetections, drawSixPanels } from '@rcnn/visualize';
import { createCanvas, encodePng } from '@rcnn/visualize/node';
import { loadDetector } from 'mask-rcnn/node';

/** Trains on `data/train` and `data/val`, each with a `via_region_data.json`, and draws what the model finds. */
export async function trainBalloon(data: string, changes: PartialConfig = {}): Promise<string[]> {
  const { folder } = await train({ data, preset: 'balloon', ...changes }, { onEvent: consoleProgress() });

  const { model } = await loadDetector(folder.best);
  const val = await openDataset(data, { split: 'val' });
  const names = new Map(val.classes.classes.map(({ label, name }) => [label, name]));
  const files: string[] = [];
  mkdirSync(join(folder.path, 'found'), { recursive: true });
  for (const record of val.images.slice(0, 5)) {
    const image = await val.store.load(record);
    const [found] = await model.detect([image]);
    const sheet = drawSixPanels(createCanvas, image, drawnDetections(found!, 0.5), { names });
    const file = join(folder.path, 'found', `${record.file}.png`);
    writeFileSync(file, encodePng(sheet));
    files.push(file);
  }
  model.dispose();
  return files;
}

if (process.argv[1] === import.meta.filename)
  console.log((await trainBalloon(process.argv[2] ?? 'data/balloon')).join('\n'));
