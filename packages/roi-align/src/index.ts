export * from './mask-targets.ts';
export { type HostMap, MultiScaleRoIAlign, type MultiScaleRoIAlignOptions } from './multi-scale-roi-align.ts';
export { withImages } from './placed-rois.ts';
export { type PSRoIAlignOptions, type PSRoIPoolOptions, psRoIAlign, psRoIPool } from './ps-roi.ts';
export { type RoIAlignOptions, roiAlign } from './roi-align.ts';
export * from './roi-pool.ts';
export { multiplySparse, type SparseRows, transposeSparse } from './sparse-rows.ts';
