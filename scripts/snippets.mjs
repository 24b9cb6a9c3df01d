// The TypeScript that READMEs and pages show, with what stands in HTML comments right before it and readers do not see:
//   <!-- given … -->         code that the snippet takes for granted: a model, a picture
//   <!-- continues -->       the snippet goes on where the one before it ended
//   <!-- not run: why -->    it is compiled only
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FENCE = /((?:<!--(?:(?!-->)[^])*-->\s*)*)^```(?:ts|typescript)\n([^]*?)^```$/gm;
const COMMENT = /<!--\s*(given|continues|not run:)((?:(?!-->)[^])*)-->/g;

function pages(root) {
  const found = ['README.md', 'CONTRIBUTING.md'];
  for (const parent of ['packages', 'examples', 'natives']) {
    for (const name of readdirSync(join(root, parent))) found.push(`${parent}/${name}/README.md`);
  }
  for (const file of readdirSync(join(root, 'docs'), { recursive: true })) {
    if (file.endsWith('.md')) found.push(`docs/${file.replaceAll('\\', '/')}`);
  }
  return found.filter((page) => existsSync(join(root, page)));
}

/** Each with its page, the line it begins on, its whole code, and the reason why it is not run, if there is one. */
export function snippets(root) {
  return pages(root).flatMap((page) => snippetsOf(readFileSync(join(root, page), 'utf8'), page));
}

export function snippetsOf(text, page) {
  const found = [];
  for (const { index, 0: whole, 1: comments, 2: shown } of text.matchAll(FENCE)) {
    let code = shown;
    let notRun;
    for (const [, kind, content] of [...comments.matchAll(COMMENT)].reverse()) {
      if (kind === 'not run:') notRun = content.trim().replaceAll(/\s+/g, ' ');
      else code = `${kind === 'given' ? content.trim() : found.at(-1).source}\n${code}`;
    }
    const line = text.slice(0, index + whole.indexOf('```')).split('\n').length;
    found.push({ page, line, source: code, code: importsFirst(code), notRun });
  }
  return found;
}

const IMPORT = /^import\s(?:[^'"]*?\sfrom\s)?['"][^'"]+['"];?[^\n]*\n/gm;

/** Pieces that were put together may each begin with imports, and name one twice. */
function importsFirst(code) {
  return { imports: [...new Set(code.match(IMPORT) ?? [])].join(''), body: code.replaceAll(IMPORT, '') };
}

/** As a module: what the page shows. */
export function asModule({ code: { imports, body } }) {
  return `${imports}\n${body}\nexport {};\n`;
}

/** A declaration at the left margin, with the lines of it that are indented or close it. */
const DECLARATION = /^(?:export )?declare [^\n]*\n(?:[ \t})][^\n]*\n)*/gm;

/** As CommonJS, where nothing can be awaited outside a function, and nothing exported or declared inside one. */
export function asCommonJS({ code: { imports, body } }) {
  const declared = body.match(DECLARATION)?.join('') ?? '';
  const inside = body
    .replaceAll(DECLARATION, '')
    .replaceAll(/^export (?=(?:abstract|async|class|const|enum|function|interface|let|type)\b)/gm, '');
  return `${imports}\n${declared}\nasync function main(): Promise<void> {\n${inside}\n}\n\nvoid main();\n`;
}
