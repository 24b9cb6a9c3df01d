export { type FoundObject, type MaskFormat, objectsOf } from './answers.ts';
export { Batcher, type Detect } from './batcher.ts';
export { type CvatRequest, type CvatShape, cvatShapes } from './cvat.ts';
export { interfaceOf, type LabelStudioAccess, type LabelStudioRequest, labelStudioResult } from './label-studio.ts';
export { LIMITS, type Limits } from './limits.ts';
export { createServer, type ServerOptions } from './server.ts';
