export * from './common.ts';
export { load } from './load/load-node.ts';
