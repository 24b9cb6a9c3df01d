import type { ClassScore, IoUType } from '@rcnn/coco-eval';

/** COCO's numbers of one kind of result. */
export interface KindRecord {
  /** In the order of `statNames` of `@rcnn/coco-eval`: AP, AP50, AP75, … */
  readonly stats: readonly number[];
  /** The lines, as pycocotools prints them. */
  readonly summary: string;
  /** How well each class is found. -1: the class has no objects. */
  readonly classes: readonly Pick<ClassScore, 'name' | 'ap' | 'ap50'>[];
}

/** An evaluation as `evaluation.json` keeps it. */
export interface EvaluationRecord {
  readonly epoch: number;
  readonly images: number;
  /** By kind, in the order of what the detector finds: `bbox`, then `segm` or `keypoints`. */
  readonly results: Readonly<Partial<Record<IoUType, KindRecord>>>;
  /** Mean validation losses by name, and of their sum. */
  readonly losses: Readonly<Record<string, number>>;
  /** Seconds of prediction in all. */
  readonly seconds: number;
}
