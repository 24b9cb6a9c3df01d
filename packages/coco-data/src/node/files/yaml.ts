import { type Document, isScalar, type ParseOptions, parseDocument, visit } from 'yaml';

/** What is wrong with a text of YAML, and where: the offset of a character. */
export interface YamlFault {
  readonly offset: number;
  readonly problem: string;
}

/** Longest text: options and names of classes fit many times over. */
const LONGEST = 2 ** 20;

/** What YAML allows in no text (1.2.2, section 5.1), though the parser takes it. */
const UNPRINTABLE = /(?![\t\n\r\u0085])[\p{Cc}\p{Cs}\ufffe\uffff]/u;
const NOT_ALLOWED = 'a control character, which YAML does not allow; in quotes it can be written as an escape';

/**
 * Reads YAML in time that grows with its length, and prints nothing. The parser's own search for keys that stand twice
 * compares each with each, so it is done here.
 * @returns the document, and the first fault if there is one: an error, a warning, a key that stands twice
 */
export function readYaml(
  text: string,
  options: Omit<ParseOptions, 'uniqueKeys'> = {},
): { readonly document: Document; readonly fault: YamlFault | undefined } {
  if (text.length > LONGEST) {
    const problem = `the text is longer than ${LONGEST} characters`;
    return { document: parseDocument(''), fault: { offset: 0, problem } };
  }
  const offset = text.search(UNPRINTABLE);
  if (offset >= 0) return { document: parseDocument(''), fault: { offset, problem: NOT_ALLOWED } };
  const document = parseDocument(text, { ...options, uniqueKeys: false, logLevel: 'error', schema: 'core' });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) return { document, fault: { offset: fault.pos[0], problem: firstLine(fault.message) } };
  return { document, fault: keyTwice(document) };
}

function keyTwice(document: Document): YamlFault | undefined {
  let fault: YamlFault | undefined;
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          fault ??= { offset: key.range?.[0] ?? 0, problem: 'Map keys must be unique' };
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return fault;
}

function firstLine(text: string): string {
  return text.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
}
