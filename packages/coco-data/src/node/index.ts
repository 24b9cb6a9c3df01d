export * from '../doctor/inspect.ts';
export { type Digests, readManifest, writeManifest } from '../doctor/manifest.ts';
export { type Repair, repairDataset } from '../doctor/repair.ts';
export { type DecodeOptions, decodeImage, type ImageHeader, MAX_PIXELS, readImageHeader } from './images/decode.ts';
export { FolderImages, type FolderImagesOptions } from './images/folder-images.ts';
export { createLoader, LoaderWorkers, type NodeLoaderOptions, type WorkersOptions } from './loader/loader-workers.ts';
export type { ModuleExport } from './loader/messages.ts';
export {
  type DatasetFormat,
  type DatasetSource,
  findSources,
  type OpenOptions,
  openDataset,
  openSource,
  readSource,
} from './read/open.ts';
export { isVocFolder, readVoc, vocSplits } from './read/read-voc.ts';
export { type ConvertOptions, convertDataset } from './write/convert.ts';
export { writeCoco } from './write/write-coco.ts';
export { type WriteShapesOptions, writeShapes } from './write/write-shapes.ts';
