export { type ConvertOptions, convertDataset } from './convert.ts';
export { type DecodeOptions, decodeImage, type ImageHeader, MAX_PIXELS, readImageHeader } from './decode.ts';
export { FolderImages, type FolderImagesOptions } from './folder-images.ts';
export * from './inspect.ts';
export { createLoader, LoaderWorkers, type NodeLoaderOptions, type WorkersOptions } from './loader-workers.ts';
export { type Digests, readManifest, writeManifest } from './manifest.ts';
export type { ModuleExport } from './messages.ts';
export {
  type DatasetFormat,
  type DatasetSource,
  findSources,
  type OpenOptions,
  openDataset,
  openSource,
  readSource,
} from './open.ts';
export { isVocFolder, readVoc, vocSplits } from './read-voc.ts';
export { type Repair, repairDataset } from './repair.ts';
export { writeCoco } from './write-coco.ts';
export { type WriteShapesOptions, writeShapes } from './write-shapes.ts';
