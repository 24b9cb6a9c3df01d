import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeShapes } from '@rcnn/coco-data/node';
import { consoleProgress, duration, type PartialConfig, type Scores, StopSignals, train } from '@rcnn/train';

export interface DemoOptions {
  /** A folder of your own: COCO, VIA or VOC. Default: a set of shapes that is drawn first. */
  readonly data?: string;
  readonly out: string;
  readonly epochs?: number;
  readonly engine?: string;
  readonly quiet?: boolean;
  /** Pictures to draw. Default 600 to learn from and 60 to be measured on. */
  readonly pictures?: { readonly train: number; readonly val: number };
}

/** Draws a dataset, trains a small Mask R-CNN on it from nothing, measures it and says where everything is. */
export async function demo({ data, out, epochs, engine, quiet = false, pictures }: DemoOptions): Promise<number> {
  const begin = performance.now();
  const say = (text: string): void => void (quiet || process.stdout.write(`${text}\n`));
  const { train: trainCount, val: valCount } = pictures ?? { train: 600, val: 60 };
  const folder =
    data ?? (await drawnShapes(join(out, `shapes-${trainCount}`), { train: trainCount, val: valCount }, say));
  const config: PartialConfig = {
    data: folder,
    preset: 'quick',
    name: 'demo',
    out,
    epochs: epochs ?? 5,
    // Photographs need more pixels than drawings.
    ...(data !== undefined && { minSize: 256, maxSize: 384, epochs: epochs ?? 20 }),
    ...(engine !== undefined && { engine }),
  };
  say('Training a small Mask R-CNN from random weights. Ctrl-C finishes the step, saves and leaves.');
  const signals = new StopSignals();
  try {
    const result = await train(config, {
      onEvent: consoleProgress({ style: quiet ? 'none' : 'auto' }),
      shouldStop: () => signals.requested !== undefined,
    });
    say(conclusion(result.folder.path, result.scores, (performance.now() - begin) / 1000));
    return result.reason === 'stopped' ? 130 : 0;
  } finally {
    signals.dispose();
  }
}

/** Scenes that a small network can learn in minutes: a few shapes of middle size, nearly upright, some overlapping. */
const SCENE = { objects: [1, 3], radius: [0.12, 0.24], tiny: 0, turn: 0.3 } as const;

/** Draws the set once; an interrupted drawing is begun again. */
async function drawnShapes(
  folder: string,
  splits: Record<string, number>,
  say: (text: string) => void,
): Promise<string> {
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  say(`Drawing ${splits.train} pictures to learn from and ${splits.val} to be measured on …`);
  // Shapes that a small network can learn in minutes: none tiny, at most four to a picture.
  await writeShapes(unfinished, { splits, ...SCENE });
  renameSync(unfinished, folder);
  return folder;
}

function conclusion(folder: string, scores: Scores | undefined, seconds: number): string {
  const number = (name: string): string =>
    scores?.[name] === undefined || scores[name] < 0 ? '  -  ' : scores[name].toFixed(3);
  return `
Done in ${duration(seconds)}. How good is it, on pictures it never saw?

             masks   boxes
  AP         ${number('segm/AP')}   ${number('bbox/AP')}   mean over ten ways to be strict (overlap from 0.50 to 0.95); 1 is perfect
  AP50       ${number('segm/AP50')}   ${number('bbox/AP50')}   an object counts as found when half of it overlaps
  AR100      ${number('segm/AR100')}   ${number('bbox/AR100')}   share of the objects that were found

Look at
  ${join(folder, 'report.html')}   curves, numbers and pictures on one page
  ${join(folder, 'pictures', 'validation.png')}   the truth beside what was found
  ${join(folder, 'pictures', 'panels_0.png')}   six panels: image, boxes, masks, classes, everything
  ${join(folder, 'checkpoints', 'best.safetensors')}   the model

On your own photographs: npm run demo -- --data path/to/coco-or-via-folder`;
}
