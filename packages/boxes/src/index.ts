export * from './box-coder.ts';
export * from './geometry.ts';
export * from './losses.ts';
export * from './matcher.ts';
export * from './nms.ts';
export * from './sampler.ts';
export * from './top-k.ts';
