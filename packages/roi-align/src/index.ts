export * from './mask-targets.ts';
export { MultiScaleRoIAlign, type MultiScaleRoIAlignOptions } from './multi-scale-roi-align.ts';
export { type RoIAlignOptions, roiAlign } from './roi-align.ts';
export * from './roi-pool.ts';
