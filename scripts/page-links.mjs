// The links of Markdown pages, as readers on a code host see them: relative to the page, with headings as anchors.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix, relative } from 'node:path';

/** What is no prose: fenced code, comments, code within a line. */
const CODE = /^( *)(`{3,}|~{3,})[^]*?^\1\2|<!--[^]*?-->|(`+)(?!`)[^]*?[^`]\3(?!`)/gm;
const LINK = /(?<=\]\()(?:<([^>\n]*)>|((?:[^()\s]|\([^()\s]*\))+))(?=(?:\s+"[^"\n]*")?\))/g;
const DEFINITION = /(?<=^ {0,3}\[[^\]\n]+\]:\s+)(\S+)/gm;
const TAG = /(?<=<(?:a|img|source)\s[^>]*(?:href|src)=")([^"]*)(?=")/g;

/** The text with the same places and no code in it, so that what looks like a link in code is none. */
export function withoutCode(text) {
  return text.replaceAll(CODE, (code) => code.replaceAll(/[^\n]/g, ' '));
}

/** Every link of a page: its target and the line it stands on. */
export function linksOf(text) {
  const prose = withoutCode(text);
  const found = [LINK, DEFINITION, TAG].flatMap((pattern) => [...prose.matchAll(pattern)]);
  return found
    .map((match) => ({
      target: match[1] ?? match[2],
      index: match.index,
      length: match[0].length,
      line: prose.slice(0, match.index).split('\n').length,
    }))
    .toSorted((a, b) => a.index - b.index);
}

/** The page with every link's target replaced by what `change(target, line)` gives. */
export function mapLinks(text, change) {
  let out = '';
  let end = 0;
  for (const { target, index, length, line } of linksOf(text)) {
    out += text.slice(end, index) + change(target, line);
    end = index + length;
  }
  return out + text.slice(end);
}

/** The anchor of a heading, before numbers are added to tell equal ones apart. */
export function slugOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** The anchors of a page. */
export function anchorsOf(text) {
  const times = new Map();
  const anchors = new Set();
  const fenced = text.replaceAll(/^( *)(`{3,}|~{3,})[^]*?^\1\2|<!--[^]*?-->/gm, '');
  for (const [, heading] of fenced.matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const slug = slugOf(heading);
    const before = times.get(slug) ?? 0;
    times.set(slug, before + 1);
    anchors.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return anchors;
}

/** Whether a target leaves the repository, or stays on its page. */
export const isElsewhere = (target) => /^[a-z][a-z+.-]*:|^\/\//i.test(target);

/**
 * What a relative link of a page leads to: a file or folder of the repository, and the page to show for it, which for a
 * folder is its README.
 */
export function resolveLink(root, page, target) {
  const [path, anchor] = target.split('#');
  const place =
    path === '' ? page : posix.normalize(posix.join(posix.dirname(page), decodeURI(path))).replace(/\/$/, '');
  const full = join(root, place);
  if (place.startsWith('..') || !existsSync(full)) return { place, anchor, exists: false };
  const isFolder = statSync(full).isDirectory();
  const readme = isFolder && existsSync(join(full, 'README.md')) ? posix.join(place, 'README.md') : undefined;
  return { place, anchor, exists: true, isFolder, page: isFolder ? readme : place };
}

/** Markdown that people read, by its path from the root. */
export function readablePages(root) {
  const found = readdirSync(root).filter((name) => name.endsWith('.md'));
  for (const folder of ['docs', 'packages', 'examples', 'natives', 'tools']) walk(join(root, folder), found, root);
  return found.sort();
}

const NOT_OURS = new Set(['node_modules', 'dist', 'fixtures', 'runs', 'pages', 'cache']);

function walk(folder, found, root) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !NOT_OURS.has(entry.name)) walk(path, found, root);
    else if (entry.isFile() && entry.name.endsWith('.md') && entry.name !== 'CHANGELOG.md') {
      found.push(relative(root, path).replaceAll('\\', '/'));
    }
  }
}

/** Every link of the house that leads nowhere, in words. */
export function deadLinks(root, pages = readablePages(root)) {
  const anchors = new Map();
  const hasAnchor = (page, anchor) => {
    if (!anchors.has(page)) anchors.set(page, anchorsOf(readFileSync(join(root, page), 'utf8')));
    return anchors.get(page).has(anchor);
  };
  const problems = [];
  for (const page of pages) {
    for (const { target, line } of linksOf(readFileSync(join(root, page), 'utf8'))) {
      if (isElsewhere(target)) continue;
      const to = resolveLink(root, page, target);
      if (!to.exists) problems.push(`${page}:${line} leads to ${target}, which is not there.`);
      else if (to.anchor === undefined || to.anchor === '' || (to.isFolder && to.anchor === 'readme')) continue;
      else if (!to.page?.endsWith('.md') || !hasAnchor(to.page, to.anchor)) {
        problems.push(`${page}:${line} leads to ${target}, and ${to.page ?? to.place} has no heading of that name.`);
      }
    }
  }
  return problems;
}

/** Where a file is shown on the code host. */
export function sourceAddress(repository, { place, isFolder, anchor }) {
  return `${repository}/${isFolder ? 'tree' : 'blob'}/main/${place}${anchor ? `#${anchor}` : ''}`;
}
