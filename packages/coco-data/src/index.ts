export type { Batch, SkippedSample } from './batch.ts';
export { BrowserImages, type BrowserImagesOptions } from './browser-images.ts';
export { type CheckedSet, checkMasks, checkRecords } from './check.ts';
export { type ClassEntry, ClassMap, type ClassMapJSON } from './class-map.ts';
export { type ByteChunks, parseCoco, readCoco } from './coco/read-coco.ts';
export { type CocoResult, cocoResults, type ListedDetection, listedDetections } from './coco/results.ts';
export { type CocoFile, cocoOf, numberImages } from './coco/write-coco.ts';
export { Dataset, type DatasetOptions } from './dataset.ts';
export { imageSizeOf } from './image-header.ts';
export type { ImageStore } from './image-store.ts';
export { type BatchRunner, createLoader, type Loader, type LoaderOptions } from './loader.ts';
export { aspectEdges, aspectGroup, epochOrder, type OrderOptions, planBatches } from './order.ts';
export {
  PROBLEM_KINDS,
  type Problem,
  type ProblemCount,
  type ProblemKind,
  Problems,
  type Severity,
} from './problems.ts';
export type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord, Segmentation } from './records.ts';
export type { Sample, SampleFields, SampleRecords } from './sample.ts';
export { type ShapesDatasetOptions, shapesDataset } from './shapes/dataset.ts';
export {
  type DrawnShape,
  drawShapes,
  SHAPES,
  type Shape,
  type ShapesOptions,
  type ShapesPicture,
} from './shapes/draw.ts';
export { parseVia, type ViaOptions } from './via/read-via.ts';
export { instancesOf, vocColor } from './voc/instances.ts';
export { parseVocXml, type VocFile, type VocObject } from './voc/parse-xml.ts';
export { VOC_CLASSES, type VocEntry, type VocOptions, vocRecords } from './voc/records.ts';
