import { type ImageSize, type SessionTensor, type ToGraph, writable } from '@rcnn/core';
import { PointRendBranch } from '@rcnn/point-rend';
import { type HostMap, MultiScaleRoIAlign } from '@rcnn/roi-align';
import {
  type AskRegions,
  type BoxAnswers,
  BoxBranch,
  type BoxHead,
  type BoxPredictor,
  CascadeHeads,
  countRoIs,
  KeypointBranch,
  type KeypointPredictor,
  MaskBranch,
  type MaskPredictor,
  type RoIBranch,
  type RoIs,
  type WritableBoxPredictor,
  type WritableMaskPredictor,
} from '@rcnn/roi-heads';
import type { OnnxWriter } from '../graph/writer.ts';
import { toChannelsFirst, toChannelsLast } from './channels.ts';
import { type AskGraph, floatsOf, type GraphSet } from './graph-set.ts';
import { type CompilableParts, cannotCompile } from './parts.ts';
import { inPieces } from './pieces.ts';

/** Turns proposals into detections, as `RegionHeads.detect` does. */
type DetectRegions = (maps: readonly HostMap[], rois: readonly RoIs[], sizes: readonly ImageSize[]) => Promise<RoIs[]>;

/** Regions that become one vector each, 12 MB of them at 256 channels. */
const VECTORS_AT_ONCE = 256;
/** Regions that become maps of twice their size: 25 MB at 256 channels. */
const MAPS_AT_ONCE = 32;

/** One step of the second stage, and how many levels of the pyramid it reads. */
interface Step {
  readonly detect: DetectRegions;
  readonly levels: number;
}

/** The second stage, its networks as graphs of pooled regions. */
export function planRegionStage(graphs: GraphSet, { roiHeads }: Pick<CompilableParts, 'roiHeads'>): Step {
  const branches = Object.entries(roiHeads.branches).map(([name, branch]) => planBranch(graphs, name, branch));
  const steps = roiHeads instanceof CascadeHeads ? [planCascade(graphs, roiHeads), ...branches] : branches;
  return {
    levels: Math.max(...steps.map(({ levels }) => levels)),
    async detect(maps, proposals, sizes) {
      let rois = [...proposals];
      for (const { detect } of steps) rois = await detect(maps, rois, sizes);
      return rois;
    },
  };
}

function planBranch(graphs: GraphSet, name: string, branch: RoIBranch): Step {
  if (branch instanceof BoxBranch) {
    const { pool, head, predictor } = branch.parts;
    const network = planBoxes(graphs, name, pool, head, predictor);
    return {
      levels: network.levels,
      detect: (maps, rois, sizes) => branch.detectBy(network.ask(maps), rois, sizes),
    };
  }
  if (branch instanceof MaskBranch) return planMasks(graphs, name, branch);
  if (branch instanceof KeypointBranch) return planKeypoints(graphs, name, branch);
  if (branch instanceof PointRendBranch) return planPointRend(graphs, name, branch);
  throw cannotCompile(`branch '${name}'`, branch, 'a box, mask, key point or PointRend branch');
}

function planCascade(graphs: GraphSet, heads: CascadeHeads): Step {
  const networks = heads.stages.map(({ head, predictor }, k) =>
    planBoxes(graphs, `stage ${k}`, heads.pool, head, predictor),
  );
  return {
    levels: networks[0]!.levels,
    detect(maps, rois, sizes) {
      const stages = networks.map((network) => network.ask(maps));
      return heads.detectBoxesBy(stages, rois, sizes);
    },
  };
}

function planBoxes(
  graphs: GraphSet,
  name: string,
  pooler: object,
  head: BoxHead,
  predictor: BoxPredictor,
): { readonly levels: number; ask(maps: readonly HostMap[]): AskRegions<BoxAnswers> } {
  const pool = poolOf(name, pooler);
  const ask = graphs.plan(name, {
    outputs: ['scores', 'deltas'],
    write(graph, layers) {
      const regions = { name: toChannelsFirst(graph, regionsInput(graph)) };
      const vectors = writable<BoxHead>(head).toGraph(layers, regions);
      const said = writable<BoxPredictor, WritableBoxPredictor>(predictor).toGraph(layers, vectors);
      const scores = graph.node('Softmax', [said.logits.name], { axis: 1 });
      graph.output(scores, { name: 'scores', type: 'float32', shape: ['regions', 'classes'] });
      graph.output(said.deltas.name, { name: 'deltas', type: 'float32', shape: ['regions', 'corners'] });
    },
  });
  return {
    levels: pool.strides.length,
    ask: (maps) => async (rois) => {
      const [scores, deltas] = await inPieces(rois, VECTORS_AT_ONCE, async (piece) => {
        return (await ask({ regions: pooled(pool, maps, piece) })).map(floatsOf);
      });
      return { scores: scores!, deltas: deltas! };
    },
  };
}

function planMasks(graphs: GraphSet, name: string, branch: MaskBranch): Step {
  const { head, predictor } = branch.parts;
  const pool = poolOf(name, branch.parts.pool);
  const ask = graphs.plan(name, {
    outputs: ['masks'],
    write(graph, layers) {
      const regions = { name: toChannelsFirst(graph, regionsInput(graph)) };
      const labels = { name: graph.input({ name: 'labels', type: 'int64', shape: ['regions'] }) };
      const maps = writable(head).toGraph(layers, regions);
      const logits = writable<MaskPredictor, WritableMaskPredictor>(predictor).toGraph(layers, maps, labels);
      const masks = graph.node('Sigmoid', [logits.name]);
      graph.output(masks, { name: 'masks', type: 'float32', shape: ['regions', 'rows', 'columns'] });
    },
  });
  return {
    levels: pool.strides.length,
    detect: (maps, rois) =>
      branch.detectBy(async (regions) => {
        const [masks] = await inPieces(regions, MAPS_AT_ONCE, async (piece) => {
          const labels = BigInt64Array.from(piece.flatMap((ofImage) => Array.from(ofImage.labels, BigInt)));
          const input = { regions: pooled(pool, maps, piece), labels: { data: labels, dims: [labels.length] } };
          return (await ask(input)).map(floatsOf);
        });
        return masks!;
      }, rois),
  };
}

function planKeypoints(graphs: GraphSet, name: string, branch: KeypointBranch): Step {
  const { head, predictor } = branch.parts;
  const pool = poolOf(name, branch.parts.pool);
  const ask = graphs.plan(name, {
    outputs: ['heatmaps'],
    write(graph, layers) {
      const regions = { name: toChannelsFirst(graph, regionsInput(graph)) };
      const maps = writable(head).toGraph(layers, regions);
      const heatmaps = writable<KeypointPredictor, ToGraph>(predictor).toGraph(layers, maps);
      graph.output(heatmaps.name, {
        name: 'heatmaps',
        type: 'float32',
        shape: ['regions', 'points', 'rows', 'columns'],
      });
    },
  });
  return {
    levels: pool.strides.length,
    detect: (maps, rois) =>
      branch.detectBy(async (regions) => {
        const [heatmaps] = await inPieces(regions, MAPS_AT_ONCE, async (piece) => {
          return (await ask({ regions: pooled(pool, maps, piece) })).map(floatsOf);
        });
        return heatmaps!;
      }, rois),
  };
}

function planPointRend(graphs: GraphSet, name: string, branch: PointRendBranch): Step {
  const { coarse, point } = branch.parts;
  const askCoarse = graphs.plan(`${name}, coarse`, {
    outputs: ['logits'],
    write(graph, layers) {
      const logits = coarse.toGraph(layers, { name: toChannelsFirst(graph, regionsInput(graph)) });
      const shape = ['regions', 'rows', 'columns', 'classes'];
      graph.output(toChannelsLast(graph, logits.name), { name: 'logits', type: 'float32', shape });
    },
  });
  const askPoint = graphs.plan(`${name}, points`, {
    outputs: ['logits'],
    write(graph, layers) {
      const fine = graph.input({ name: 'fine', type: 'float32', shape: ['points', 'channels'] });
      const shown = graph.input({ name: 'coarse', type: 'float32', shape: ['points', 'classes'] });
      const logits = point.toGraph(layers, { name: fine }, { name: shown });
      graph.output(logits.name, { name: 'logits', type: 'float32', shape: ['points', 'answers'] });
    },
  });
  const first = async (ask: AskGraph, inputs: Record<string, SessionTensor>): Promise<Float32Array> =>
    floatsOf((await ask(inputs))[0]!);
  return {
    levels: 1,
    detect(maps, rois) {
      const finest = maps[0]!;
      const { inSide, numObjectClasses: classes } = coarse;
      const channels = finest.shape[3];
      const ask = {
        coarse: (data: Float32Array) => {
          const count = data.length / (inSide * inSide * channels);
          return first(askCoarse, { regions: { data, dims: [count, inSide, inSide, channels] } });
        },
        point: (fine: Float32Array, shown: Float32Array) =>
          first(askPoint, { fine: rows(fine, channels), coarse: rows(shown, classes) }),
      };
      return branch.detectBy(ask, finest, rois);
    },
  };
}

const rows = (data: Float32Array, width: number): SessionTensor => ({ data, dims: [data.length / width, width] });

function regionsInput(graph: OnnxWriter): string {
  return graph.input({ name: 'regions', type: 'float32', shape: ['regions', 'side', 'side', 'channels'] });
}

/** The regions of all images cut out of the pyramid: `[R, S, S, C]`. */
function pooled(
  pool: MultiScaleRoIAlign,
  maps: readonly HostMap[],
  rois: readonly Pick<RoIs, 'boxes'>[],
): SessionTensor {
  const boxes = rois.map((ofImage) => ofImage.boxes);
  return { data: pool.forwardOnHost(maps, boxes), dims: [countRoIs(rois), ...pool.outputSize, maps[0]!.shape[3]] };
}

function poolOf(name: string, pool: object): MultiScaleRoIAlign {
  if (pool instanceof MultiScaleRoIAlign) return pool;
  throw cannotCompile(`the pooling of '${name}'`, pool, 'a MultiScaleRoIAlign');
}
