export type { LoadDetectorOptions } from '@rcnn/models/node';
export { checkpointOf, weightsFile } from './load/run-folder.ts';
export { type DetectorNamed, loadDetector } from './load-detector.ts';
