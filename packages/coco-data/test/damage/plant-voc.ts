// Pascal VOC folders, damaged.
import { join } from 'node:path';
import type { Random } from '@rcnn/core/random';
import type { Allowed, Damaged, DamagedPlace, Plant } from './damaged.ts';
import { put, putPictures, vocXml } from './original.ts';
import { boxPart, raster } from './picture.ts';
import { maybeSpoilPicture } from './plant-files.ts';

const FAULTS: Readonly<Record<string, (xml: string, random: Random) => string>> = {
  'size zero': (xml) => xml.replace(/<width>\d+/, '<width>0').replace(/<height>\d+/, '<height>0'),
  'no size': (xml) => xml.replace(/<size>.*<\/size>/, ''),
  'size of text': (xml) => xml.replace(/<width>\d+/, '<width>wide'),
  'width wrong': (xml) => xml.replace(/<width>\d+/, '<width>57'),
  'size of another picture': (xml) => xml.replace(/<width>\d+/, '<width>128').replace(/<height>\d+/, '<height>96'),
  'no box': (xml) => xml.replace(/<bndbox>.*?<\/bndbox>/, ''),
  'a side of text': (xml) => xml.replace(/<xmin>\d+/, '<xmin>nan'),
  'sides swapped': (xml) => xml.replace(/<xmin>(\d+)<\/xmin>(.*?)<xmax>(\d+)/, '<xmin>$3</xmin>$2<xmax>$1'),
  'far outside': (xml) => xml.replace(/<xmin>\d+(.*?)<xmax>\d+/, '<xmin>500$1<xmax>520'),
  'no name': (xml) => xml.replace(/<name>.*?<\/name>/, ''),
  'a name of nothing': (xml) => xml.replace(/<name>.*?<\/name>/, '<name> </name>'),
  'another file name': (xml) => xml.replace(/<filename>.*?<\/filename>/, '<filename>../x.png</filename>'),
  'cut short': (xml) => xml.slice(0, xml.length >> 1),
  'a DOCTYPE': (xml) => `<!DOCTYPE annotation [<!ENTITY a "b">]>${xml}`,
  'nothing in it': () => '',
  'another root': (xml) => xml.replaceAll('annotation>', 'other>'),
  'a field less': (xml, random) => {
    const tags = [...xml.matchAll(/<(\w+)>[^<]*<\/\1>/g)].map(([text]) => text);
    return tags.length === 0 ? xml : xml.replace(random.pick(tags), '');
  },
  'nonsense in a field': (xml, random) => {
    const tags = [...xml.matchAll(/<(\w+)>[^<]*<\/\1>/g)];
    if (tags.length === 0) return xml;
    const [text, tag] = random.pick(tags) as unknown as [string, string];
    return xml.replace(text, `<${tag}>${random.pick(['', 'x', '-1', '0', '1e999', '&#x41;'])}</${tag}>`);
  },
};

export const plantVoc: Plant = async (folder, splits, random) => {
  const story: string[] = [];
  const damaged: Damaged[] = [];
  for (const split of splits) {
    await putPictures(join(folder, 'JPEGImages'), split.images);
    put(folder, `ImageSets/Main/${split.name}.txt`, split.images.map(({ file }) => `${file.slice(0, -4)}\n`).join(''));
    const texts = new Map(split.images.map((image) => [image.file, vocXml(image)]));
    const touched = new Set<string>();
    let classesTouched = false;
    for (let i = random.integer(5); i > 0; i--) {
      const name = random.pick(Object.keys(FAULTS));
      const { file } = random.pick(split.images);
      if (/field|name/.test(name)) classesTouched = true;
      touched.add(file);
      story.push(`${split.name} ${file}: ${name}`);
      texts.set(file, FAULTS[name]!(texts.get(file)!, random));
    }
    const places: DamagedPlace[] = [];
    const perFile = new Map<string, number>();
    for (const [file, text] of texts) {
      const container = `Annotations/${file.slice(0, -4)}.xml`;
      put(folder, container, text);
      const fault = maybeSpoilPicture(join(folder, 'JPEGImages', file), random);
      if (fault !== undefined) story.push(`${split.name} ${file}: ${fault}`);
      const count = text.match(/<object>/g)?.length ?? 0;
      for (let i = 1; i <= count; i++) places.push({ place: `${container} object ${i}`, container });
      perFile.set(file, count);
    }
    const said = (file: string, size: readonly [number, number]): Allowed[] =>
      touched.has(file)
        ? boxesOf(texts.get(file)!).map((box) => ({ className: undefined, bits: raster([boxPart(box)], size) }))
        : [];
    const containers = [...texts.keys()].map((file) => `Annotations/${file.slice(0, -4)}.xml`);
    damaged.push({
      split,
      objects: places.length,
      images: containers.length,
      said,
      classesTouched,
      perFile,
      places,
      containers,
    });
  }
  return { damaged, story };
};

function boxesOf(xml: string): number[][] {
  return [...xml.matchAll(/<bndbox>(.*?)<\/bndbox>/g)].map(([, text]) => {
    const side = (name: string): number => Number(new RegExp(`<${name}>([^<]*)<`).exec(text!)?.[1]);
    const [x1, y1] = [side('xmin') - 1, side('ymin') - 1];
    return [x1, y1, side('xmax') - x1, side('ymax') - y1];
  });
}
