/** How well one class is found. -1: the class has no objects. */
export interface ClassScore {
  readonly name: string;
  readonly ap: number;
  readonly ap50: number;
}

/** COCO's numbers of one kind of result. */
export interface KindRecord {
  /** AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl. */
  readonly stats: readonly number[];
  /** The twelve lines, as pycocotools prints them. */
  readonly summary: string;
  readonly classes: readonly ClassScore[];
}

/** An evaluation as `evaluation.json` keeps it. */
export interface EvaluationRecord {
  readonly epoch: number;
  readonly images: number;
  /** `bbox`, and `segm` for models with masks. */
  readonly results: Readonly<Partial<Record<'bbox' | 'segm', KindRecord>>>;
  /** Mean validation losses by name, and of their sum. */
  readonly losses: Readonly<Record<string, number>>;
  /** Seconds of prediction in all. */
  readonly seconds: number;
}
