export type { VGGDepth } from './variants.ts';
export { VGG, type VGGOptions } from './vgg.ts';
