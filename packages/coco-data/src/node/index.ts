export * from '../doctor/inspect.ts';
export { type Digests, readManifest, writeManifest } from '../doctor/manifest.ts';
export { type RepairResult, repairDataset } from '../doctor/repair.ts';
export { accountText, type Repair, type RepairAccount } from '../doctor/repairs.ts';
export { readRegular } from './files/regular-file.ts';
export { readYaml, type YamlFault } from './files/yaml.ts';
export { FolderImages, type FolderImagesOptions } from './images/folder-images.ts';
export * from './images/index.ts';
export { createLoader, LoaderWorkers, type NodeLoaderOptions, type WorkersOptions } from './loader/loader-workers.ts';
export type { ModuleExport } from './loader/messages.ts';
export { cocoReader } from './read/coco-reader.ts';
export { labelmeReader } from './read/labelme-reader.ts';
export {
  findSources,
  matchesSplit,
  type OpenOptions,
  openDataset,
  openSource,
  READERS,
  readSource,
  selectSources,
} from './read/open.ts';
export { openOptionsOf } from './read/open-options.ts';
export { readVoc, type VocFolders, vocSplits } from './read/read-voc.ts';
export type { DatasetReader, DatasetSource } from './read/reader.ts';
export { viaReader } from './read/via-reader.ts';
export { vocReader } from './read/voc-reader.ts';
export { yoloReader } from './read/yolo-reader.ts';
export { type ConvertOptions, convertDataset } from './write/convert.ts';
export { type ExportedSplit, exportDataset } from './write/export.ts';
export { upright } from './write/upright.ts';
export { writeCoco } from './write/write-coco.ts';
export { type WriteFiguresOptions, type WriteShapesOptions, writeFigures, writeShapes } from './write/write-shapes.ts';
