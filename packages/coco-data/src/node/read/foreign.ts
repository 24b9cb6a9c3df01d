import { extname, join } from 'node:path';
import { readHead } from '../files/text.ts';
import { foldersIn, isFolder, namesIn, PICTURE } from './folders.ts';

/** What people have instead of a dataset that is read, and what to do about it. */
export interface Foreign {
  readonly what: string;
  readonly hint: string;
}

const EXPORT = 'Export it as COCO, or as YOLO segmentation, from the tool that made it.';

/** Tells files of formats that are not read by their names and beginnings; undefined where nothing is known. */
export async function foreignAt(path: string): Promise<Foreign | undefined> {
  const files = (await isFolder(path)) ? await filesNear(path) : [path];
  for (const file of files) {
    const known = byName(file) ?? (await byHead(file));
    if (known !== undefined) return known;
  }
  if (files.some((file) => /[/\\]labels[/\\]/.test(file) && file.endsWith('.txt')))
    return {
      what: 'labels of YOLO without the names of their classes',
      hint: 'Write them into classes.txt, a name a line, or into a data.yaml beside images and labels.',
    };
  if (files.length > 0 && files.every((file) => PICTURE.test(file)))
    return {
      what: 'pictures without annotations',
      hint: 'Name the annotation file, and the pictures with the images setting (--images); masks as pictures are not read.',
    };
  return undefined;
}

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
  if (!/\.(?:json|ndjson|jsonl|xml|csv)$/i.test(file)) return undefined;
  const head = await readHead(file).catch(() => '');
  const known = HEADS.find(({ ending, test }) => file.toLowerCase().endsWith(ending) && test.test(head));
  return known && { what: known.what, hint: known.hint ?? EXPORT };
}

const HEADS: readonly {
  readonly ending: string;
  readonly test: RegExp;
  readonly what: string;
  readonly hint?: string;
}[] = [
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
  { ending: '.csv', test: /^.*(?:filename|image|class|label|xmin)/i, what: 'a table of boxes (CSV)' },
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
  { ending: 'json', test: /"data_row"\s*:/, what: 'an export of Labelbox' },
  { ending: '.json', test: /"schema_ref"\s*:\s*"[^"]*darwin/, what: 'an export of V7 (Darwin JSON)' },
  { ending: '.json', test: /"___sa_version___"|"classesId"\s*:/, what: 'an export of SuperAnnotate' },
  { ending: '.json', test: /"imgHeight"\s*:/, what: 'polygons of Cityscapes' },
  { ending: '.json', test: /"poly2d"\s*:/, what: 'labels of BDD100K (Scalabel)' },
  {
    ending: '.json',
    test: /"(?:classTitle|geometryType|labelerLogin)"\s*:/,
    what: 'a project of Supervisely',
    hint: 'Export it from Supervisely as COCO.',
  },
  { ending: '.json', test: /"media_type"|"label_categories"|"items"\s*:\s*\[/, what: 'a dataset of Datumaro' },
  { ending: '.json', test: /"segments_info"\s*:/, what: 'panoptic annotations', hint: 'Take the file of instances.' },
];
