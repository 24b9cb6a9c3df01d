export * from './common.ts';
export { load } from './load/load-browser.ts';
