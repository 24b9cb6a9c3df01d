import {
  type Detection,
  type Detector,
  type ImageInput,
  type ImageSize,
  type PixelImage,
  RcnnError,
  rowsWhere,
  takeObjects,
} from '@rcnn/core';
import { type BoxMask, type HostImage, type Placement, readImages } from '@rcnn/detector';
import { BoxBranch, MaskBranch, RoIHeads, type RoIPooler, type RoIs } from '@rcnn/roi-heads';
import { type Proposals, RegionProposalNetwork, type RPNOutputs } from '@rcnn/rpn-anchors';
import type * as tf from '@tensorflow/tfjs-core';
import { type CellMap, heatOver, heatPicture, strengths, stretched, tiles } from './explain-pictures.ts';
import { GeneralizedRCNN } from './generalized-rcnn.ts';

/** One stage of a prediction: what it made, and a picture of it. */
export interface ExplainedStep {
  /** `image`, `batch`, `P2` …, `anchors`, `objectness`, `proposals`, `detections`, `RoIAlign`, `masks`, `result`. */
  readonly name: string;
  /** What happens here, in a sentence. */
  readonly about: string;
  /** Shape of the tensor or list that it made. */
  readonly shape: readonly number[];
  readonly image: PixelImage;
  /** Boxes and masks on the picture, in its pixels: what the annotators of `@rcnn/visualize` draw. */
  readonly objects: readonly ExplainedObject[];
}

export interface ExplainedObject extends Pick<Detection, 'box'>, Partial<Omit<Detection, 'box'>> {}

export interface ExplainOptions {
  /** Objects below it are not shown. Default 0.5. */
  readonly scoreThreshold?: number | undefined;
  /** Proposals that are shown, best first. Default 20. */
  readonly shownProposals?: number | undefined;
}

/** What the model went through with one image, on the host but for the maps. */
interface Passage {
  readonly host: HostImage;
  readonly placement: Placement;
  readonly paddedSize: ImageSize;
  readonly features: readonly tf.Tensor4D[];
  readonly outputs: RPNOutputs;
  readonly proposals: Proposals;
  /** Those that are shown: above the threshold. */
  readonly found: RoIs;
  /** What the network sees, as a picture. */
  readonly seen: PixelImage;
}

/**
 * The teaching mode: a prediction with a picture of everything in between, from pixels to masks, by the model's own
 * parts. Steps of parts that a model does not have, or has of somebody else's making, are left out. No tensor is left.
 * @param model a detector in two stages
 * @throws IMAGE_INVALID; INVALID_ARGUMENT for a detector of another kind
 */
export async function explain(
  model: Detector,
  image: ImageInput,
  { scoreThreshold = 0.5, shownProposals = 20 }: ExplainOptions = {},
): Promise<ExplainedStep[]> {
  requireTwoStages(model);
  const [host] = await readImages('explain', [image]);
  const batch = model.transform.forward([host!]);
  const { paddedSize } = batch;
  const placement = batch.placements[0]!;
  const held: tf.Tensor[] = [batch.images];
  try {
    const seen = stretched(await batch.images.data<'float32'>(), paddedSize);
    const features = model.backbone.forward(batch.images, 'predict');
    held.push(...features);
    const outputs = model.rpn.forward(features, 'predict');
    held.push(...outputs.logits, ...outputs.deltas);
    const [proposals] = await model.rpn.propose(outputs, [placement.size], paddedSize, 'test');
    const regions = { ...proposals!, labels: new Int32Array(proposals!.scores.length) };
    const [all] = await model.roiHeads.detect(features, [regions], [placement.size]);
    const found = takeObjects(
      all!,
      rowsWhere(all!, (row) => all!.scores[row]! >= scoreThreshold),
    );
    const passage = { host: host!, placement, paddedSize, features, outputs, proposals: proposals!, found, seen };
    return [
      ...inputSteps(passage),
      ...(await levelSteps(model, passage)),
      ...anchorSteps(model, passage),
      await objectnessStep(passage),
      proposalStep(passage, shownProposals),
      detectionStep(passage),
      ...(await alignSteps(model, passage)),
      ...maskSteps(passage),
      resultStep(passage),
    ];
  } finally {
    for (const tensor of held) tensor.dispose();
  }
}

function requireTwoStages(model: Detector): asserts model is GeneralizedRCNN {
  if (model instanceof GeneralizedRCNN) return;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'explain',
    place: 'model',
    problem: 'only detectors in two stages have these steps',
    hint: "A Mask, Faster, Cascade or Keypoint R-CNN as loadDetector gives it; of `load`, with compile: 'off'.",
  });
}

function inputSteps({ host, seen, paddedSize }: Passage): ExplainedStep[] {
  const [height, width] = host.size;
  return [
    {
      name: 'image',
      about: 'The picture as it came.',
      shape: [height, width, 3],
      image: { data: host.data, height, width, channels: 3 },
      objects: [],
    },
    {
      name: 'batch',
      about: 'What the network sees: resized, less the mean colors, with a margin up to a size that halves well.',
      shape: [1, ...paddedSize, 3],
      image: seen,
      objects: [],
    },
  ];
}

function levelSteps(model: GeneralizedRCNN, { features, paddedSize }: Passage): Promise<ExplainedStep[]> {
  return Promise.all(
    features.map(async (map, level) => {
      const [, height, width, channels] = map.shape;
      const { stride } = model.backbone.outputs[level]!;
      return {
        name: `P${Math.round(Math.log2(stride))}`,
        about: `A level of the pyramid: a cell for each ${stride} x ${stride} pixels. Bright cells answer strongly.`,
        shape: map.shape,
        image: heatPicture(strengths(await map.data<'float32'>(), [height, width], channels), paddedSize),
        objects: [],
      };
    }),
  );
}

/** The anchors of the cell in the middle of each level; those of the other cells are the same, elsewhere. */
function anchorSteps({ rpn }: GeneralizedRCNN, { outputs, paddedSize, seen }: Passage): ExplainedStep[] {
  if (!(rpn instanceof RegionProposalNetwork)) return [];
  const grids = outputs.logits.map(({ shape }) => [shape[1], shape[2]] as const);
  const anchors = rpn.anchorGenerator.forward(grids, paddedSize);
  const objects = anchors.flatMap((ofLevel, level) => {
    const [height, width] = grids[level]!;
    const perCell = rpn.anchorGenerator.anchorsPerCell[level]!;
    const first = (Math.floor(height / 2) * width + Math.floor(width / 2)) * perCell;
    return Array.from({ length: perCell }, (_, i) => ({ box: boxAt(ofLevel, first + i), label: level + 1 }));
  });
  return [
    {
      name: 'anchors',
      about: 'Boxes of a few sizes and shapes around every cell; here those of the middle cell of each level.',
      shape: [anchors.reduce((sum, { length }) => sum + length / 4, 0), 4],
      image: seen,
      objects,
    },
  ];
}

async function objectnessStep({ outputs, seen }: Passage): Promise<ExplainedStep> {
  const maps = await Promise.all(
    outputs.logits.map(async (level): Promise<CellMap> => {
      const [, height, width, anchors] = level.shape;
      const logits = await level.data<'float32'>();
      const values = Float32Array.from({ length: height * width }, (_, cell) => {
        const best = Math.max(...logits.subarray(cell * anchors, (cell + 1) * anchors));
        return 1 / (1 + Math.exp(-best));
      });
      return { values, size: [height, width] };
    }),
  );
  return {
    name: 'objectness',
    about: 'How sure the proposal network is that something lies at a cell: the best of its anchors, on any level.',
    shape: [outputs.logits.reduce((sum, { size }) => sum + size, 0)],
    image: heatOver(seen, maps),
    objects: [],
  };
}

function proposalStep({ proposals: { boxes, scores }, seen }: Passage, shown: number): ExplainedStep {
  const count = Math.min(shown, scores.length);
  return {
    name: 'proposals',
    about: `Anchors moved and sized to fit what is there, of which those that cover better ones are gone; the best ${count}.`,
    shape: [scores.length, 4],
    image: seen,
    objects: Array.from({ length: count }, (_, i) => ({ box: boxAt(boxes, i), score: scores[i]! })),
  };
}

function detectionStep({ found, seen }: Passage): ExplainedStep {
  return {
    name: 'detections',
    about: 'Each region gets a class and a better box; of those that say the same, the surest stays.',
    shape: [found.scores.length, 4],
    image: seen,
    objects: Array.from(found.labels, (label, i) => ({ box: boxAt(found.boxes, i), label, score: found.scores[i]! })),
  };
}

/** How many regions are shown side by side. */
const SHOWN_REGIONS = 9;

/** What RoIAlign cuts out of the pyramid for the objects found, and where its cells lie for the first of them. */
async function alignSteps({ roiHeads }: GeneralizedRCNN, { features, found, seen }: Passage): Promise<ExplainedStep[]> {
  const pool = poolOf(roiHeads);
  if (pool === undefined || found.scores.length === 0) return [];
  const boxes = found.boxes.slice(0, SHOWN_REGIONS * 4);
  const regions = pool.forward(features, [boxes]);
  try {
    const [count, height, width, channels] = regions.shape;
    const data = await regions.data<'float32'>();
    const each = height * width * channels;
    const maps = Array.from({ length: count }, (_, i) =>
      strengths(data.subarray(i * each, (i + 1) * each), [height, width], channels),
    );
    return [
      {
        name: 'RoIAlign',
        about: `The first object's region in ${height} x ${width} cells, wherever they fall between the pixels.`,
        shape: [height, width],
        image: seen,
        objects: cellsOf(boxAt(boxes, 0), [height, width]),
      },
      {
        name: 'regions',
        about: 'Every region cut out of the pyramid at one size, so that one head can look at all of them.',
        shape: regions.shape,
        image: tiles(maps),
        objects: [],
      },
    ];
  } finally {
    regions.dispose();
  }
}

/** The pooling that the mask is made from, else the one of classes and boxes. */
function poolOf(heads: GeneralizedRCNN['roiHeads']): RoIPooler | undefined {
  if (!(heads instanceof RoIHeads)) return undefined;
  const branches = Object.values(heads.branches);
  const branch = branches.find((one) => one instanceof MaskBranch) ?? branches.find((one) => one instanceof BoxBranch);
  return branch?.parts.pool;
}

function cellsOf([x1, y1, x2, y2]: Detection['box'], [rows, columns]: ImageSize): ExplainedObject[] {
  const x = (i: number): number => x1 + ((x2 - x1) * i) / columns;
  const y = (i: number): number => y1 + ((y2 - y1) * i) / rows;
  return Array.from({ length: rows * columns }, (_, cell) => {
    const row = Math.floor(cell / columns);
    const column = cell % columns;
    return { box: [x(column), y(row), x(column + 1), y(row + 1)] as const, label: 1 };
  });
}

function maskSteps({ found: { masks = [] } }: Passage): ExplainedStep[] {
  const cells = masks.flatMap((mask) => ('cells' in mask ? [(mask as BoxMask).cells] : []));
  if (cells.length === 0) return [];
  const side = Math.sqrt(cells[0]!.length);
  const maps = cells.slice(0, SHOWN_REGIONS).map((values): CellMap => ({ values, size: [side, side] }));
  return [
    {
      name: 'masks',
      about: 'For each object and its class, how likely each cell of its box belongs to it.',
      shape: [cells.length, side, side],
      image: tiles(maps, [0, 1]),
      objects: [],
    },
  ];
}

function resultStep({ found, host, placement }: Passage): ExplainedStep {
  const [height, width] = host.size;
  return {
    name: 'result',
    about: 'Boxes and masks laid over the picture as it came.',
    shape: [found.scores.length],
    image: { data: host.data, height, width, channels: 3 },
    objects: placement.toImage(found),
  };
}

function boxAt(boxes: Float32Array, i: number): Detection['box'] {
  return [boxes[i * 4]!, boxes[i * 4 + 1]!, boxes[i * 4 + 2]!, boxes[i * 4 + 3]!];
}
