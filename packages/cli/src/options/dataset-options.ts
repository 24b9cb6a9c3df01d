import type { OpenOptions } from '@rcnn/coco-data/node';
import { type Command, Option } from 'commander';

/** How the user says what a dataset is, where it cannot be told from the folder. */
export interface DatasetFlags {
  readonly split?: string;
  readonly format?: 'coco' | 'via' | 'voc';
  readonly images?: string;
  readonly className?: string;
  readonly classAttribute?: string;
  readonly zeroBased?: boolean;
  readonly autoOrient?: boolean;
}

/** Adds the options that every command on datasets has. */
export function addDatasetOptions(command: Command): Command {
  return command
    .option('--split <name>', 'only this split')
    .addOption(new Option('--format <name>', 'default: told from the files').choices(['coco', 'via', 'voc']))
    .option('--images <folder>', 'where the images are; default: told from where the annotations are')
    .option('--class-name <name>', 'VIA: the class of regions that name none')
    .option('--class-attribute <name>', 'VIA: the region attribute that holds the class')
    .option('--zero-based', 'VOC: corners count from 0, as some tools write them')
    .option('--auto-orient', 'turn images as their EXIF orientation says before annotations are applied');
}

export function openOptions({
  split,
  format,
  images,
  className,
  classAttribute,
  zeroBased,
  autoOrient,
}: DatasetFlags): OpenOptions {
  return {
    ...(split !== undefined && { split }),
    ...(format !== undefined && { format }),
    ...(images !== undefined && { images }),
    ...(autoOrient && { orientation: 'apply' }),
    via: {
      ...(className !== undefined && { className }),
      ...(classAttribute !== undefined && { classAttribute }),
    },
    voc: { oneBased: zeroBased !== true },
  };
}
