/** A value of a config: what Python writes as a literal. */
export type ConfigValue = string | number | boolean | null | ConfigNode;

/** A `dict(…)`, `{…}`, `[…]` or `(…)` of a config: what has a name in it, and what has none. */
export interface ConfigNode {
  readonly fields: Map<string, ConfigValue>;
  readonly items: ConfigValue[];
}

/** Comments, texts, numbers, names and single characters of Python. */
const TOKEN =
  /#[^\n]*|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[A-Za-z_][\w.]*|\S/g;

const WORDS: ReadonlyMap<string, ConfigValue> = new Map<string, ConfigValue>([
  ['True', true],
  ['False', false],
  ['None', null],
]);

/**
 * The values in the text of a config, as mmdetection keeps it beside weights. Reads literals and passes over everything
 * else, in one pass and without recursion: nothing is run, and no text is refused. Of two values with one name in one
 * place the last counts, as in Python.
 */
export function parseConfig(text: string): ConfigNode {
  const root = emptyNode();
  const open = [root];
  const tokens = text.match(TOKEN) ?? [];
  let name: string | undefined;
  const add = (value: ConfigValue): void => {
    const { fields, items } = open.at(-1)!;
    if (name === undefined) items.push(value);
    else fields.set(name, value);
    name = undefined;
  };
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1];
    const quoted = /^['"]./.test(token) ? token.slice(1, -1) : undefined;
    if ('([{'.includes(token)) {
      const node = emptyNode();
      add(node);
      open.push(node);
    } else if (')]},'.includes(token)) {
      if (token !== ',' && open.length > 1) open.pop();
      name = undefined; // of a value that is no literal
    } else if (next === '=' || (quoted !== undefined && next === ':')) name = quoted ?? token;
    else if (quoted !== undefined) add(quoted);
    else if (WORDS.has(token)) add(WORDS.get(token)!);
    else if (/\d/.test(token) && Number.isFinite(Number(token))) add(Number(token));
  }
  return root;
}

/** The value that these names lead to; undefined where there is none. */
export function configAt(node: ConfigNode, ...names: readonly string[]): ConfigValue | undefined {
  let value: ConfigValue | undefined = node;
  for (const name of names) value = isNode(value) ? value.fields.get(name) : undefined;
  return value;
}

/** The same where it holds others. */
export function configNodeAt(node: ConfigNode, ...names: readonly string[]): ConfigNode | undefined {
  const value = configAt(node, ...names);
  return isNode(value) ? value : undefined;
}

/** The numbers of a list; undefined for anything else. */
export function configNumbers(value: ConfigValue | undefined): readonly number[] | undefined {
  if (!isNode(value) || value.fields.size > 0) return undefined;
  return value.items.every((item) => typeof item === 'number') ? value.items : undefined;
}

/** Every node below one, in the text's order. */
export function* nodesBelow(root: ConfigNode): Generator<ConfigNode> {
  const open: ConfigNode[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    for (const value of [...node.fields.values(), ...node.items].reverse()) if (isNode(value)) open.push(value);
  }
}

function emptyNode(): ConfigNode {
  return { fields: new Map(), items: [] };
}

function isNode(value: ConfigValue | undefined): value is ConfigNode {
  return typeof value === 'object' && value !== null;
}
