import { join } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { type DatasetSettings, usableSamples } from '@rcnn/coco-data';
import { type OpenOptions, openDataset } from '@rcnn/coco-data/node';
import { counted } from '@rcnn/core/errors';
import { Random } from '@rcnn/core/random';
import { OutputFolder } from '@rcnn/files';
import { type PresetName, preset, type Scene, sceneOf, type Transform, targetOf } from '@rcnn/transforms';
import {
  type Annotator,
  boxAnnotator,
  contourAnnotator,
  drawnTarget,
  drawSheet,
  keypointAnnotator,
  labelAnnotator,
  maskAnnotator,
  type Panel,
} from '@rcnn/visualize';
import { createCanvas } from '@rcnn/visualize/node';
import { NewNames } from '../output/new-names.ts';
import { OwnFiles } from '../output/own-files.ts';
import { note } from '../output/print.ts';
import { isSigned } from './signed.ts';
import { signedPng } from './signed-png.ts';
import { spread } from './spread.ts';

export interface PreviewOptions extends Pick<DatasetSettings, 'badSamples' | 'maxSkipRate'> {
  readonly preset: string;
  /** Images, spread evenly over the dataset. */
  readonly count: number;
  /** Draws of the whole pipeline per image. */
  readonly draws: number;
  readonly seed: number;
  readonly open: OpenOptions;
}

/**
 * Writes one PNG per image: the original, each step of the preset on its own, then the whole preset a few times. Replaces
 * those of an earlier run and no other file.
 * @returns the files, in order
 */
export async function drawPreviews(data: string, out: string, options: PreviewOptions): Promise<readonly string[]> {
  const pipeline = preset(options.preset as PresetName);
  const dataset = await openDataset(data, options.open);
  const names = new Map(dataset.classes.classes.map(({ label, name }) => [label, name]));
  const folder = await OutputFolder.open(out);
  const newNames = new NewNames();
  const own = new OwnFiles([]);
  const isFree = (name: string): Promise<boolean> =>
    own.take(join(out, `${name}-${pipeline.name}.png`), isSigned('augmentation'));
  const files: string[] = [];
  const indices = spread(dataset.length, options.count);
  const { badSamples, maxSkipRate } = options;
  for await (const { image, target, pixels, index } of usableSamples(dataset, indices, {
    badSamples,
    maxSkipRate,
    onSkip: ({ imageId, message }) => note(`left out image ${imageId}: ${message}`),
  })) {
    const scene = sceneOf(pixels, target);
    const random = new Random(options.seed).fork('preview', index);
    const panels = [
      panel('original', scene),
      ...pipeline.steps.map((step) => stepPanel(step, scene, random)),
      ...Array.from({ length: options.draws }, (_, draw) =>
        panel(`${pipeline.name}, draw ${draw + 1}`, pipeline.apply(scene, random.fork('draw', draw))),
      ),
    ];
    const title = `${dataset.name}: ${image.file}`;
    const sheet = drawSheet(createCanvas, panels, {
      title,
      names,
      skeleton: dataset.keypointScheme?.skeleton,
      panelSide: 400,
      columns: Math.min(4, panels.length),
    });
    const file = await folder.file(`${await newNames.takeFree(image.file, isFree)}-${pipeline.name}.png`);
    await atomicWrite(file, await signedPng(sheet, 'augmentation'));
    files.push(file);
  }
  return files;
}

const ANNOTATORS: readonly Annotator[] = [
  maskAnnotator(),
  contourAnnotator(),
  boxAnnotator(),
  keypointAnnotator(),
  labelAnnotator(),
];

function stepPanel(step: Transform, scene: Scene, random: Random): Panel {
  const shown = step.always ?? step;
  return panel(step.name, shown.apply(scene, random.fork('step', step.name)));
}

function panel(name: string, scene: Scene): Panel {
  const { image, dropped, objects } = scene;
  const facts = [
    `${image.width}x${image.height}`,
    counted(objects.length, 'object'),
    ...(dropped > 0 ? [`${dropped} gone`] : []),
  ];
  return {
    image,
    objects: drawnTarget(targetOf(scene)),
    annotators: ANNOTATORS,
    title: `${name}: ${facts.join(', ')}`,
  };
}
