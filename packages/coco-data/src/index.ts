export type { ClassEntry } from '@rcnn/core';
export { ClassMap, type ClassMapJSON, type MappedClass, plainName } from './class-map.ts';
export { Dataset, type DatasetOptions, type TrainableOptions } from './dataset.ts';
export {
  DATASET_FORMATS,
  DATASET_SETTINGS,
  type DatasetFormat,
  type DatasetSetting,
  type DatasetSettings,
  MAX_SKIP_RATE,
} from './dataset-settings.ts';
export { type CheckedSet, checkMasks, checkRecords } from './doctor/check.ts';
export {
  PROBLEM_KINDS,
  type Problem,
  type ProblemCount,
  type ProblemKind,
  Problems,
  type Severity,
} from './doctor/problems.ts';
export { datasetAsCoco } from './formats/coco/dataset-as-coco.ts';
export { type ByteChunks, parseCoco, readCoco } from './formats/coco/read-coco.ts';
export {
  type CocoResult,
  cocoResults,
  type ListedDetection,
  listedDetections,
  Uncategorized,
} from './formats/coco/results.ts';
export { type CocoFile, cocoOf, numberImages } from './formats/coco/write-coco.ts';
export { type ShapesDatasetOptions, shapesDataset } from './formats/shapes/dataset.ts';
export {
  type DrawnShape,
  drawShapes,
  SHAPES,
  type Shape,
  type ShapesOptions,
  type ShapesPicture,
} from './formats/shapes/draw.ts';
export { drawFigures, type FiguresOptions, type FiguresPicture } from './formats/shapes/draw-figures.ts';
export { figuresDataset } from './formats/shapes/figures-dataset.ts';
export { parseVia, type ViaOptions } from './formats/via/read-via.ts';
export { instancesOf, vocColor } from './formats/voc/instances.ts';
export { parseVocXml, type VocFile, type VocObject } from './formats/voc/parse-xml.ts';
export { VOC_CLASSES, type VocEntry, type VocOptions, vocRecords } from './formats/voc/records.ts';
export { BrowserImages, type BrowserImagesOptions } from './images/browser-images.ts';
export { type DecodeBlobOptions, decodeBlob, withoutAlpha } from './images/decode-blob.ts';
export { imageSizeOf } from './images/image-header.ts';
export type { ImageStore } from './images/image-store.ts';
export type { Batch, SkippedSample } from './loader/batch.ts';
export { type BatchRunner, type BatchShare, createLoader, type Loader, type LoaderOptions } from './loader/loader.ts';
export { aspectEdges, aspectGroup, epochOrder, type OrderOptions, planBatches } from './loader/order.ts';
export type { Sample, SampleFields, SampleRecords } from './loader/sample.ts';
export { SkipLimit } from './loader/skip-limit.ts';
export { type LoadedSample, type UsableSamplesOptions, usableSamples } from './loader/usable-samples.ts';
export { type ObjectSizes, objectSizes, type SizedImage, sideOf, sizedImages } from './object-sizes.ts';
export { type DatasetOffers, datasetOffers } from './offers.ts';
export type { AnnotationRecord, AnnotationSet, Category, ImageId, ImageRecord, Segmentation } from './records.ts';
export { adviseSizes, type SizeAdvice, USUAL_ANCHORS, USUAL_DETECTIONS, warnOfSmall } from './size-advice.ts';
