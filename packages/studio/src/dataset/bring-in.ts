import { readdir } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { atomicWrite } from '@rcnn/checkpoint/node';
import { decodeImage, readImageHeader, upright } from '@rcnn/coco-data/node';
import { type OutputFolder, plainName } from '@rcnn/files';

/** A picture that lies in its folder now. */
export interface Brought {
  /** Its name there. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
}

const ENDINGS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  jpeg: ['.jpg', '.jpeg'],
  png: ['.png'],
  webp: ['.webp'],
  tiff: ['.tif', '.tiff'],
  gif: ['.gif'],
  avif: ['.avif'],
  heif: ['.avif'],
  bmp: ['.bmp'],
};

/**
 * Puts a photograph among the pictures of a dataset, decoded once to see that it can be, and turned upright where its
 * EXIF data say so: annotations count stored pixels, and people outline what they see.
 * @param name what it is called where it comes from; only the part of it that is safe and free is used
 * @param folder where pictures lie, relative to the output folder; '' for itself
 * @throws IMAGE_CORRUPT, IMAGE_TOO_LARGE, IMAGE_TOO_SLOW, DISK_FULL, IO_FAILED
 */
export async function bringIn(
  bytes: Uint8Array,
  name: string,
  output: OutputFolder,
  folder: string,
  taken: Set<string>,
): Promise<Brought> {
  const said = plainName(basename(name.replaceAll('\\', '/')));
  await decodeImage(bytes, { name: said });
  const { orientation } = await readImageHeader(bytes, said);
  const contents = orientation > 1 ? await upright(bytes, said) : bytes;
  const { size, format } = await readImageHeader(contents, said);
  const path = (file: string): string => (folder === '' ? file : `${folder}/${file}`);
  const file = await freeName(withEnding(said, format), dirname(await output.file(path('x'))), taken);
  await atomicWrite(await output.file(path(file)), contents);
  return { file, width: size[1], height: size[0] };
}

/** A browser and other programs go by the ending; it has to tell what the bytes are. */
function withEnding(name: string, format: string): string {
  const endings = ENDINGS[format] ?? [`.${format}`];
  const ending = extname(name);
  if (endings.includes(ending.toLowerCase())) return name;
  return plainName(`${ending === '' ? name : name.slice(0, -ending.length)}${endings[0]}`);
}

/** `cat.jpg`, or `cat-2.jpg` where that is taken, whatever the case of its letters. */
async function freeName(name: string, folder: string, taken: Set<string>): Promise<string> {
  const there = new Set((await readdir(folder)).map(fold));
  const ending = extname(name);
  const stem = name.slice(0, name.length - ending.length);
  let free = name;
  for (let number = 2; there.has(fold(free)) || taken.has(fold(free)); number++) free = `${stem}-${number}${ending}`;
  taken.add(fold(free));
  return free;
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
