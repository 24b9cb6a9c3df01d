// Lays the repository's pages out as the site has them: short addresses, links that follow, nothing for scripts alone.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import {
  deadLinks,
  isElsewhere,
  mapLinks,
  readablePages,
  resolveLink,
  sourceAddress,
  withoutCode,
} from '../../scripts/page-links.mjs';
import { HOME } from './home.mjs';

export const REPOSITORY = 'https://github.com/rcnn-js/rcnn';

/** Where a page of the repository is on the site; undefined for those that only the repository shows. */
export function siteName(page) {
  const [, folder, name] = /^(packages|examples)\/([^/]+)\/README\.md$/.exec(page) ?? [];
  if (folder !== undefined) return `${folder}/${name}.md`;
  if (page === 'CONTRIBUTING.md') return 'contributing.md';
  return page.startsWith('docs/') ? page.slice('docs/'.length) : undefined;
}

/** Writes the pages and their pictures, and gives the number of pages. */
export function stagePages(root, out) {
  const dead = deadLinks(root);
  if (dead.length > 0) throw new Error(`Dead links:\n${dead.join('\n')}`);
  const shown = readablePages(root).filter((page) => siteName(page) !== undefined);
  for (const page of shown) {
    const name = siteName(page);
    const text = mapLinks(readFileSync(join(root, page), 'utf8'), (target) => addressOf(root, page, name, target));
    mkdirSync(dirname(join(out, name)), { recursive: true });
    const prose = asTemplate(withoutComments(text));
    writeFileSync(join(out, name), name === 'index.md' ? asHome(prose) : prose);
  }
  for (const [folder, title] of Object.entries(FOLDERS)) writeFileSync(join(out, folder, 'index.md'), contents(out, folder, title)); // biome-ignore format: one line
  cpSync(join(root, 'docs', 'pictures'), join(out, 'pictures'), { recursive: true });
  // What the site's head names keeps its name; pictures of pages get theirs from the build.
  cpSync(join(root, 'tools', 'site', 'public'), join(out, 'public'), { recursive: true });
  cpSync(join(root, 'docs', 'pictures', 'hero.png'), join(out, 'public', 'pictures', 'hero.png'));
  return shown.length;
}

/** Folders whose pages come from READMEs, which no page of the repository lists. */
const FOLDERS = { examples: 'Examples', packages: 'Packages' };

/** A page that names the pages of its folder, each with its first sentence. */
function contents(out, folder, title) {
  const lines = readdirSync(join(out, folder))
    .sort()
    .map((file) => {
      const [, heading = file, first = ''] = /^# (.+)\n+([^]*?)(?:\n\n|$)/.exec(readFileSync(join(out, folder, file), 'utf8')) ?? []; // biome-ignore format: one line
      return `- [${heading}](./${file}): ${first.replaceAll(/\s+/g, ' ').replace(/:$/, '.')}`;
    });
  return `# ${title}\n\n${lines.join('\n')}\n`;
}

/** What a link becomes: a page of the site, a picture, or a file on the code host. */
function addressOf(root, page, name, target) {
  if (isElsewhere(target)) return target;
  const to = resolveLink(root, page, target);
  const here = (place) => {
    const path = posix.relative(posix.dirname(name), place);
    return path.startsWith('.') ? path : `./${path}`;
  };
  const anchor = to.anchor && to.anchor !== 'readme' ? `#${to.anchor}` : '';
  const shown = to.page === undefined ? undefined : siteName(to.page);
  if (to.page === page) return anchor || here(name);
  if (shown?.endsWith('.md')) return `${here(shown)}${anchor}`;
  if (shown?.startsWith('pictures/')) return here(shown);
  return sourceAddress(REPOSITORY, to);
}

/** Comments hold what snippets take for granted when they are tried; readers do not see them on a code host either. */
function withoutComments(text) {
  return text.replaceAll(/^<!--[^]*?-->\n*/gm, '');
}

/** The first page, under its head instead of its heading. A head in JSON is one in YAML, and no formatter touches it. */
function asHome(text) {
  return `---\n${JSON.stringify(HOME, undefined, 2)}\n---\n\n${text.slice(text.indexOf('\n## ') + 1)}`;
}

/** Elements that pages use; anything else between angle brackets is meant as written. */
const ELEMENT = 'a|b|br|code|details|div|em|i|img|kbd|p|source|strong|sub|summary|sup|table|tbody|td|th|thead|tr';
const NOT_AN_ELEMENT = new RegExp(`<(?!/?(?:${ELEMENT})\\b|https?:|!--)|\\{\\{`, 'g');

/** VitePress reads pages as templates, where an unknown element or two braces would be an error. */
function asTemplate(text) {
  let out = '';
  let end = 0;
  for (const { 0: found, index } of withoutCode(text).matchAll(NOT_AN_ELEMENT)) {
    out += text.slice(end, index) + (found === '<' ? '&lt;' : '&#123;&#123;');
    end = index + found.length;
  }
  return out + text.slice(end);
}
