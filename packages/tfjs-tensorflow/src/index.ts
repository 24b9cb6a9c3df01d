export { type JoinOptions, joinGroup } from './collectives/join.ts';
export { type Installation } from './installation.ts';
export { defaultRoot } from './layout.ts';
export { type LoadedTensorFlow, type LoadOptions, loadTensorFlow } from './load.ts';
export { type SetupOptions, type SetupResult, type SetupStep, setupTensorFlow, TESTED_VERSION } from './setup.ts';
export type { TfjsNodeName } from './tfjs-node.ts';
