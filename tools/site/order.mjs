// Who reads what, in which order: people who use it first, those who build their own parts, those who work in this house.
import { readdirSync, readFileSync } from 'node:fs';

const USE = [
  ['Quick start', 'quick-start'],
  ['Your own objects', 'fine-tune'],
  ['The studio', 'studio'],
  ['In a browser', 'browser'],
  ['Servers, Next.js, Electron, Bun, Deno', 'servers'],
  ['More pictures, more machines', 'scale'],
  ['Gallery', 'gallery'],
];
const LOOK_UP = [
  ['Commands', 'commands'],
  ['File formats', 'formats'],
  ['Weights and checkpoints', 'checkpoints'],
  ['Engines', 'engines'],
  ['Numbers, and how they were measured', 'numbers'],
  ['The methods side by side', 'family'],
];
const BUILD = [
  ['How Mask R-CNN works', 'how-it-works'],
  ['Blocks in your own detector', 'blocks'],
  ['The chain and its parts', 'chain'],
  ['Conventions', 'conventions'],
  ['Add a detector', 'add-a-detector'],
  ['Add a reader', 'add-a-reader'],
  ['Add an engine', 'add-an-engine'],
];
const HOUSE = [
  ['Architecture', 'architecture'],
  ['Decisions', 'decisions'],
  ['Contributing', 'contributing'],
];

const group = (text, pages) => ({
  text,
  items: pages.map(([title, name]) => ({ text: title, link: `/${name}` })),
});

/**
 * A group that is shut at first. It has a page of its own: the theme makes a button of a head without one, around the
 * button that opens it, and a button inside a button is nothing that a screen reader or a keyboard understands.
 */
const shut = (text, link, pages) => ({ ...group(text, pages), link, collapsed: true });

/** Pages of a staged folder, by their first heading. */
function titled(pages, folder) {
  return readdirSync(`${pages}/${folder}`)
    .filter((file) => file !== 'index.md')
    .sort()
    .map((file) => {
      const title = /^# (.+)$/m.exec(readFileSync(`${pages}/${folder}/${file}`, 'utf8'))?.[1] ?? file;
      return [title, `${folder}/${file.replace(/\.md$/, '')}`];
    });
}

/** The names of all pages that stand in a group by hand. */
export const ordered = [...USE, ...LOOK_UP, ...BUILD, ...HOUSE].map(([, name]) => name);

/** The API's pages: a package, and under it its further entry points. */
function api(pages) {
  const files = readdirSync(`${pages}/api`, { recursive: true }).filter((file) => file.endsWith('.md'));
  const titles = files
    .map((file) => [/^# (.+)$/m.exec(readFileSync(`${pages}/api/${file}`, 'utf8'))?.[1], file.replaceAll('\\', '/')])
    .filter(([title]) => title !== undefined && title !== 'API')
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const packageOf = (title) => /^(?:@rcnn\/)?[^/]+/.exec(title)[0];
  const item = ([title, file]) => ({ text: title, link: `/api/${file.replace(/\.md$/, '')}` });
  return titles
    .filter(([title]) => title === packageOf(title))
    .map((main) => {
      const more = titles.filter((one) => one !== main && packageOf(one[0]) === main[0]).map(item);
      return more.length === 0 ? item(main) : { ...item(main), collapsed: true, items: more };
    });
}

export function sidebar(pages) {
  const guides = [
    group('Use it', USE),
    group('Look it up', LOOK_UP),
    group('Build with it', BUILD),
    shut('Examples', '/examples/', titled(pages, 'examples')),
    shut('Packages', '/packages/', titled(pages, 'packages')),
    shut('This house', '/architecture', HOUSE),
    { text: 'API', link: '/api/' },
  ];
  return { '/api/': [{ text: 'API', link: '/api/', items: api(pages) }], '/': guides };
}
