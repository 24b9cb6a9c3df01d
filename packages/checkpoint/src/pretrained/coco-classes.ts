import type { ClassEntry } from '@rcnn/core';

/** COCO's 80 names in id order, and the ids from 1 to 90 that none of them has. */
const NAMES =
  'person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,' +
  'bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,' +
  'skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,' +
  'cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,' +
  'potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,' +
  'refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush';
const UNUSED: ReadonlySet<number> = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);

/** What the labels of torchvision's COCO models mean: a label is COCO's own category id. */
export const COCO_CLASSES: readonly ClassEntry[] = cocoClasses();

function cocoClasses(): ClassEntry[] {
  const names = NAMES.split(',');
  const ids = Array.from({ length: 90 }, (_, i) => i + 1).filter((id) => !UNUSED.has(id));
  return ids.map((id, i) => ({ label: id, categoryId: id, name: names[i]! }));
}
