import { extname, join } from 'node:path';
import { PICTURE } from '@rcnn/files';
import { readHead } from '../files/text.ts';
import { foldersIn, isFolder, namesIn } from './folders.ts';

/** What people have instead of a dataset that is read, and what to do about it. */
export interface Foreign {
  readonly what: string;
  readonly hint: string;
}

const EXPORT = 'Export it as COCO, or as YOLO segmentation, from the tool that made it.';
const CONVERT = 'Convert it to COCO.';
const NO_MASKS = 'Masks as pictures are not read: export polygons, as COCO or as YOLO segmentation.';

/** Tells files of formats that are not read by their names and beginnings; undefined where nothing is known. */
export async function foreignAt(path: string): Promise<Foreign | undefined> {
  const files = (await isFolder(path)) ? await filesNear(path) : [path];
  for (const file of files) {
    const known = byName(file) ?? (await byHead(file));
    if (known !== undefined) return known;
  }
  const kind = TEXTS.find(({ folder }) => files.some((file) => folder.test(file) && /\.txt$/i.test(file)));
  if (kind !== undefined) return { what: kind.what, hint: CONVERT };
  if (files.some((file) => /[/\\](?:SegmentationClass|SegmentationObject)[/\\]|[/\\]labelmap\.txt$/.test(file)))
    return { what: 'masks as pictures', hint: NO_MASKS };
  if (files.some((file) => /[/\\]labels[/\\]/.test(file) && file.endsWith('.txt')))
    return {
      what: 'labels of YOLO without the names of their classes',
      hint: 'Write them into classes.txt, a name a line, or into a data.yaml beside images and labels.',
    };
  if (files.length > 0 && files.every((file) => PICTURE.test(file)))
    return {
      what: 'pictures without annotations',
      hint: "Name the annotation file, and the pictures with the images setting (--images); masks as pictures are not read. Nobody has annotated them? The command 'studio' opens a page to outline objects in.",
    };
  return undefined;
}

/** Folders of texts that are a line an object, and not as YOLO has it. */
const TEXTS: readonly { readonly folder: RegExp; readonly what: string }[] = [
  { folder: /[/\\]labelTxt[/\\]/, what: 'turned boxes of DOTA' },
  { folder: /[/\\]label_2[/\\]/, what: 'labels of KITTI' },
];

/** Files in a folder and right below it, a few of each. */
async function filesNear(root: string): Promise<readonly string[]> {
  const folders = [root, ...(await foldersIn(root)).map((name) => join(root, name))];
  for (const folder of folders.slice(1, 8))
    folders.push(...(await foldersIn(folder)).slice(0, 4).map((name) => join(folder, name)));
  const lists = folders.map(async (folder) => {
    const names = (await namesIn(folder)).filter((name) => extname(name) !== '' && !name.startsWith('.'));
    return names.slice(0, 20).map((name) => join(folder, name));
  });
  return (await Promise.all(lists)).flat();
}

function byName(file: string): Foreign | undefined {
  if (/\.(?:zip|tar|tgz|gz|7z|rar)$/i.test(file)) return { what: 'an archive', hint: 'Unpack it first.' };
  if (/\.createml\.json$/i.test(file)) return { what: 'an export in the format CreateML', hint: EXPORT };
  if (/\.(?:tfrecords?|parquet|lmdb|h5|hdf5|npz|mat)$/i.test(file))
    return { what: `a dataset packed as ${extname(file)}`, hint: EXPORT };
  return undefined;
}

async function byHead(file: string): Promise<Foreign | undefined> {
  if (!/\.(?:json|ndjson|jsonl|manifest|xml|csv)$/i.test(file)) return undefined;
  const head = await readHead(file).catch(() => '');
  return foreignTool(file, head) ?? known(OTHERS, file, head);
}

/**
 * The tool that wrote a file, where its beginning has what that tool alone writes, lists as COCO's or not. Records of COCO
 * name their pictures `file_name`, which none of these does: whatever fields stand beside it, such a file is COCO's.
 */
export function foreignTool(file: string, head: string): Foreign | undefined {
  return COCO_RECORD.test(head) ? undefined : known(TOOLS, file, head);
}

const COCO_RECORD = /"images"\s*:\s*\[[^]*"file_name"\s*:/;

interface Head {
  readonly ending: string;
  readonly test: RegExp;
  readonly what: string;
  readonly hint?: string;
}

function known(heads: readonly Head[], file: string, head: string): Foreign | undefined {
  const found = heads.find(({ ending, test }) => file.toLowerCase().endsWith(ending) && test.test(head));
  return found && { what: found.what, hint: found.hint ?? EXPORT };
}

/** By fields that nobody else has. */
const TOOLS: readonly Head[] = [
  {
    ending: '.json',
    test: /"(?:completed_by|lead_time|from_name|polygonlabels|brushlabels|rectanglelabels)"\s*:/,
    what: 'a JSON export of Label Studio',
    hint: 'Export it from Label Studio as COCO or as YOLO with images.',
  },
  {
    ending: '.json',
    test: /"description"\s*:\s*"ISAT"/,
    what: 'annotations of ISAT',
    hint: 'Convert them to COCO in ISAT.',
  },
  { ending: 'json', test: /"(?:data_row|DataRow ID|Labeled Data)"\s*:/, what: 'an export of Labelbox' },
  {
    ending: '.json',
    test: /"schema_ref"\s*:\s*"[^"]*darwin|darwin\.v7labs|"original_filename"\s*:/,
    what: 'an export of V7 (Darwin JSON)',
  },
  {
    ending: '.json',
    test: /"___sa_version___"|"classesId"|"instances"\s*:[^]*"class(?:Name|Id)"\s*:/,
    what: 'an export of SuperAnnotate',
  },
  {
    ending: '.json',
    test: /"(?:label_classes|export_format_version)"\s*:/,
    what: 'a JSON export of Hasty',
    hint: 'Export it from Hasty as COCO.',
  },
  { ending: '.json', test: /"task_id"\s*:[^]*"(?:response|params)"\s*:/, what: 'tasks of Scale' },
  { ending: '.json', test: /"(?:segmentation_bitmap|task_type)"\s*:/, what: 'a release of Segments.ai' },
  { ending: '.json', test: /"jsonResponse"\s*:/, what: 'an export of Kili' },
  { ending: '.json', test: /"data_hash"\s*:/, what: 'an export of Encord' },
  { ending: '.json', test: /"datasetId"\s*:/, what: 'annotations of Dataloop' },
  { ending: '.json', test: /"(?:securityToken|lastVisitedAssetId)"\s*:/, what: 'a project of VoTT' },
  { ending: '.json', test: /"imgHeight"\s*:/, what: 'polygons of Cityscapes' },
  { ending: '.json', test: /"poly2d"\s*:/, what: 'labels of BDD100K (Scalabel)' },
  {
    ending: '.json',
    test: /"(?:classTitle|geometryType|labelerLogin)"\s*:/,
    what: 'a project of Supervisely',
    hint: 'Export it from Supervisely as COCO.',
  },
  {
    ending: '.json',
    test: /"media_type"\s*:\s*"|"sample_fields"\s*:|"filepath"\s*:/,
    what: 'a dataset of FiftyOne',
    hint: 'Export it from FiftyOne as fiftyone.types.COCODetectionDataset.',
  },
  {
    ending: '.json',
    test: /"(?:dm_format_version|label_categories)"|"label"\s*:\s*\{\s*"labels"\s*:/,
    what: 'a dataset of Datumaro',
  },
  { ending: '.manifest', test: /"source-ref"\s*:/, what: 'a manifest of SageMaker Ground Truth' },
];

/** By what more than one program writes: asked only where no reader wants the file. */
const OTHERS: readonly Head[] = [
  {
    ending: '.xml',
    test: /<annotations[\s>]/,
    what: 'XML of CVAT',
    hint: 'Export it from CVAT as COCO 1.0 or as Ultralytics YOLO Segmentation.',
  },
  {
    ending: '.csv',
    test: /region_shape_attributes/,
    what: 'a CSV export of VIA',
    hint: 'Save the project, or export the annotations as JSON.',
  },
  { ending: '.csv', test: /^.*(?:EncodedPixels|rle)/i, what: 'a table of run lengths (CSV)', hint: CONVERT },
  { ending: '.csv', test: /^Pixel Value/i, what: 'a table of the colors of masks (CSV)', hint: NO_MASKS },
  { ending: '.csv', test: /^.*(?:xmin|x_min|bbox)/i, what: 'a table of boxes (CSV)' },
  { ending: '.csv', test: /^/, what: 'a table (CSV)' },
  {
    ending: '.json',
    test: /^\s*\[\s*\{[^}]*"image_id"[^}]*"score"\s*:/,
    what: 'detections of a model, not annotations',
    hint: "'mask-rcnn evaluate' compares them (--dt) with annotations (--gt).",
  },
  {
    ending: '.json',
    test: /"media_type"\s*:\s*\d|"items"\s*:\s*\[/,
    what: 'a dataset of Datumaro',
  },
  { ending: '.json', test: /"segments_info"\s*:/, what: 'panoptic annotations', hint: 'Take the file of instances.' },
  { ending: 'jsonl', test: /"file_name"\s*:/, what: 'metadata of an image folder of Hugging Face', hint: CONVERT },
  { ending: 'jsonl', test: /"suffix"\s*:/, what: 'lines for PaliGemma (JSONL)' },
];
