const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line eslint/no-control-regex -- JSON forbids them in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Index of the first character that keeps `text` from being JSON; `JSON.parse` itself does not always tell. */
export function jsonErrorAt(text: string): number {
  let at = 0;
  const eat = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at = pattern.lastIndex;
    return found !== null && found[0].length > 0;
  };
  const isNext = (character: string): boolean => {
    eat(SPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  };
  const list = (close: string, item: () => boolean): boolean => {
    if (isNext(close)) return true;
    do if (!item()) return false;
    while (isNext(','));
    return isNext(close);
  };
  const member = (): boolean => {
    eat(SPACE);
    return eat(STRING) && isNext(':') && value();
  };
  const value = (): boolean => {
    if (isNext('{')) return list('}', member);
    if (isNext('[')) return list(']', value);
    return eat(STRING) || eat(SCALAR);
  };
  if (value()) eat(SPACE);
  return at;
}

/** What people take for JSON, by the text at which it stops being JSON: in words, and what to do about it. */
export function jsonFault(rest: string, before: string): { readonly problem: string; readonly hint?: string } {
  const word = /^-?(?:NaN|Infinity)/.exec(rest)?.[0];
  if (word !== undefined) return { problem: `holds ${word}, which Python writes but JSON does not know` };
  const problem = 'is not JSON';
  if (/^[\]}]/.test(rest) && /,\s*$/.test(before)) return { problem, hint: 'There is a comma too many before it.' };
  if (rest.startsWith("'")) return { problem, hint: 'Python prints such text; json.dump writes JSON.' };
  if (/^\/[/*]/.test(rest)) return { problem, hint: 'JSON has no comments.' };
  if (rest.startsWith('{') && before.trimEnd().endsWith('}'))
    return { problem, hint: 'Several objects after one another are JSON lines; one object is wanted.' };
  return { problem };
}
