export * from './coarse-head.ts';
export * from './place-points.ts';
export * from './point-head.ts';
export * from './point-rend-branch.ts';
export * from './sample-points.ts';
export * from './subdivide.ts';
export * from './training-points.ts';
export * from './uncertain.ts';
