export * from './anchor-generator.ts';
export * from './proposals.ts';
export * from './region-proposal-network.ts';
export * from './rpn-head.ts';
