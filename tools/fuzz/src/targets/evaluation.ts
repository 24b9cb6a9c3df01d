import { evaluate, parseDetections, parseGroundTruth } from '@rcnn/coco-eval';
import { changedValue } from '../mutate.ts';
import { bytesOf, type Target } from '../target.ts';

const truth = {
  images: [
    { id: 1, width: 20, height: 16, file_name: 'a' },
    { id: 'b', width: 10, height: 10 },
  ],
  categories: [
    { id: 1, name: 'x' },
    { id: 7, name: 'y' },
  ],
  annotations: [
    {
      id: 1,
      image_id: 1,
      category_id: 1,
      bbox: [1, 2, 8, 6],
      area: 40,
      iscrowd: 0,
      segmentation: [[1, 2, 9, 2, 9, 8, 1, 8]],
    },
    {
      id: 2,
      image_id: 1,
      category_id: 7,
      bbox: [0, 0, 20, 16],
      area: 320,
      iscrowd: 1,
      segmentation: { size: [16, 20], counts: [10, 300, 10] },
    },
    {
      id: 3,
      image_id: 'b',
      category_id: 1,
      bbox: [1, 1, 2, 2],
      area: 4,
      segmentation: { size: [10, 10], counts: [11, 2, 8, 2, 77] },
    },
  ],
};
const found = [
  {
    image_id: 1,
    category_id: 1,
    bbox: [1, 2, 8, 6],
    score: 0.5,
    segmentation: { size: [16, 20], counts: [18, 6, 296] },
  },
  {
    image_id: 1,
    category_id: 7,
    bbox: [1, 2, 8, 6],
    score: 0.9,
    segmentation: { size: [16, 20], counts: [18, 6, 296] },
  },
  { image_id: 'b', category_id: 1, bbox: [1.5, 2, 3, 4], score: 1e-3, segmentation: { size: [10, 10], counts: [100] } },
];
const WORDS = ['"segmentation":', '"counts":', '"score":', '"image_id":', '"bbox":['];

const good = parseGroundTruth(bytesOf(truth));

export const evaluation: readonly Target[] = [
  {
    name: 'ground-truth',
    share: 3,
    seeds: [bytesOf(truth)],
    words: WORDS,
    invent: (random) => bytesOf(changedValue(truth, random)),
    read(bytes) {
      const read = parseGroundTruth(bytes);
      evaluate(read, parseDetections(bytesOf([]), read), { iouType: 'bbox' });
    },
  },
  {
    name: 'detections',
    share: 3,
    seeds: [bytesOf(found)],
    words: WORDS,
    invent: (random) => bytesOf(changedValue(found, random)),
    read(bytes) {
      const read = parseDetections(bytes, good);
      for (const iouType of ['bbox', 'segm'] as const) {
        const { stats } = evaluate(good, read, { iouType });
        if (!stats.every((value) => value >= -1 && value <= 1)) throw new Error(`a score of ${stats.join()}`);
      }
    },
  },
];
