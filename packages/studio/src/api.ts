// What the page and the server say to each other. Types alone: the page bundles none of the server.

/** One object of a picture. Coordinates are pixels of the picture as it is shown. */
export interface StudioObject {
  /** Its number in the file; absent for one that is new. */
  readonly id?: number | undefined;
  readonly classId: number;
  /** Flat lists `x0, y0, x1, y1, …`, one per part; none for an object that has a box alone. */
  readonly polygons: readonly (readonly number[])[];
  /** `x1, y1, x2, y2`. */
  readonly box: readonly [number, number, number, number];
  /** False for crowds and what else has no outline to pull at: shown, kept, not changed. */
  readonly editable?: boolean | undefined;
}

/** An object with what the page sorts and filters by. */
export interface KeptObject extends StudioObject {
  readonly id: number;
  readonly area: number;
}

export interface StudioPicture {
  /** Names the picture in addresses: split and number. */
  readonly key: string;
  readonly file: string;
  readonly split: string;
  readonly width: number;
  readonly height: number;
  /** Of the objects as they are now; an edit names the one that it was made from. The same after a new start. */
  readonly revision: string;
  readonly objects: readonly KeptObject[];
}

export interface StudioClass {
  readonly id: number;
  readonly name: string;
}

export interface StudioDataset {
  readonly name: string;
  readonly folder: string;
  readonly classes: readonly StudioClass[];
  readonly pictures: readonly StudioPicture[];
  /** The split that trainings learn from, and that new pictures come to. */
  readonly learnedSplit: string;
  /** The split that trainings measure on; absent where there is none, or more than one that may be meant. */
  readonly measuredSplit?: string | undefined;
  /** Whether pictures can be set aside to measure on, and taken back. */
  readonly canSplit: boolean;
  /** What could not be taken up at the start, in words. */
  readonly notes: readonly string[];
}

/** What the doctor says of one picture. */
export interface StudioProblem {
  readonly kind: string;
  readonly severity: 'error' | 'warning' | 'note';
  readonly title: string;
  readonly found: string;
  /** Absent where the problem is of no single picture. */
  readonly picture?: string | undefined;
}

/** What a model proposes. */
export interface Proposal {
  readonly name: string;
  readonly score: number;
  readonly box: readonly [number, number, number, number];
  readonly polygons: readonly (readonly number[])[];
}

export interface Proposals {
  readonly width: number;
  readonly height: number;
  readonly objects: readonly Proposal[];
  readonly seconds: number;
}

/** How often a model sees a picture otherwise than its outlines say. */
export interface Disagreement {
  /** Of the outlines that it was compared with. */
  readonly revision: string;
  /** Outlined, and the model sees nothing there. */
  readonly missed: number;
  /** Seen by the model where nothing is outlined. */
  readonly extra: number;
  /** Seen once more than it is there. */
  readonly twice: number;
  readonly otherClass: number;
  readonly otherOutline: number;
}

/** A model that proposals can come from. */
export interface StudioModel {
  /** How requests name it. */
  readonly key: string;
  readonly title: string;
  /** Told before it is taken: that it would be downloaded. */
  readonly note?: string | undefined;
}

export type RunState = 'starting' | 'running' | 'stopping' | 'ended' | 'failed';

export interface StudioRun {
  readonly name: string;
  readonly state: RunState;
  /** Milliseconds since 1970 of the last sign of life. */
  readonly changed: number;
  readonly arch?: string | undefined;
  readonly steps: number;
  readonly totalSteps?: number | undefined;
  readonly loss?: number | undefined;
  readonly scores: Readonly<Record<string, number>>;
  readonly canResume: boolean;
  readonly hasWeights: boolean;
  readonly hasReport: boolean;
  /** Files below `pictures/`, each with the time of its last change. */
  readonly pictures: readonly { readonly name: string; readonly changed: number }[];
  /** The last lines of what the command printed. */
  readonly log: readonly string[];
  /** The command that began it. */
  readonly command?: string | undefined;
}

/** One line of `metrics.jsonl`. */
export type Metric = Readonly<Record<string, number | string>> & { readonly kind: 'step' | 'epoch' };

/** What a person chooses before a training. */
export interface StartRun {
  readonly name: string;
  /** `quick`: nothing; `body`: a ResNet-50 that has seen ImageNet; or the key of a model. */
  readonly from: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate?: number | undefined;
}

export interface ApiError {
  readonly code: string;
  readonly message: string;
}
