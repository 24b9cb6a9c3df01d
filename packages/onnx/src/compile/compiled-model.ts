import type { Detection, DetectOptions, Detector, ImageInput, ModelOpener } from '@rcnn/core';
import { prepare } from '@rcnn/detector';
import type { Proposals } from '@rcnn/rpn-anchors';
import type { Precision } from '../graph/precision.ts';
import { GraphSet } from './graph-set.ts';
import { type AskImages, planImageStage } from './image-stage.ts';
import type { CompilableParts } from './parts.ts';
import { planRegionStage } from './region-stage.ts';
import { writeGraphs } from './write-graphs.ts';

/**
 * A two-stage detector whose networks are graphs of constant weights. It needs neither the model's weights nor an
 * engine any more.
 */
export class CompiledModel {
  readonly #parts: CompilableParts;
  readonly #graphs = new GraphSet();
  readonly #images: AskImages;
  readonly #regions: ReturnType<typeof planRegionStage>;

  /** @throws EXPORT_UNSUPPORTED naming the part that cannot be compiled */
  static async of(
    model: Detector,
    parts: CompilableParts,
    open: ModelOpener,
    weights: Precision,
  ): Promise<CompiledModel> {
    const compiled = new CompiledModel(parts);
    try {
      const graphs = compiled.#graphs;
      await writeGraphs(model, graphs.graphs, weights, (name, bytes) => graphs.open(name, bytes, open));
      return compiled;
    } catch (error) {
      compiled.dispose();
      throw error;
    }
  }

  private constructor(parts: CompilableParts) {
    this.#parts = parts;
    this.#regions = planRegionStage(this.#graphs, parts);
    this.#images = planImageStage(this.#graphs, parts, this.#regions.levels);
  }

  async detect(images: readonly ImageInput[], options: DetectOptions): Promise<Detection[][]> {
    const { transform, rpn } = this.#parts;
    const batch = await prepare('detect', transform, images);
    const { paddedSize, placements } = batch;
    const pixels = await batch.images.data<'float32'>().finally(() => batch.images.dispose());
    const sizes = placements.map(({ size }) => size);
    const first = await this.#images(pixels, [images.length, ...paddedSize]);
    const proposals = rpn.proposeFrom(first.rpn, sizes, paddedSize, 'test').map(asRoIs);
    const found = await this.#regions.detect(first.maps, proposals, sizes);
    return found.map((objects, i) => placements[i]!.toImage(objects, options));
  }

  dispose(): void {
    this.#graphs.dispose();
  }
}

function asRoIs({ boxes, scores }: Proposals): Proposals & { readonly labels: Int32Array } {
  return { boxes, scores, labels: new Int32Array(scores.length) };
}
