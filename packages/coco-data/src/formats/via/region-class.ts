import { quoteName, RcnnError } from '@rcnn/core/errors';

type JSONObject = Readonly<Record<string, unknown>>;

/** How the class of a region is told from its attributes. */
export type ClassOf = (attributes: unknown) => string | undefined;

/** Attribute names shown in a message. */
const SHOWN = 8;

/**
 * Finds out where regions keep their class: in the attribute that was named, in the only one there is, or, where each class
 * is an attribute of its own (`{"cat": "cat"}`, `{"dog": "dog"}`), in its name. Several attributes are a question to the
 * user, never an answer of our own: all regions would silently be one class.
 * @throws INVALID_ARGUMENT when it is not clear, or the named attribute is on no region
 */
export function classRule(all: readonly unknown[], source: string, wanted?: string, fallback?: string): ClassOf {
  const names = new Set<string>();
  let onePerRegion = true;
  for (const attributes of all) {
    if (!isObject(attributes)) continue;
    const own = Object.keys(attributes).filter((name) => valueOf(attributes, name) !== undefined);
    if (own.length > 1) onePerRegion = false;
    for (const name of own) names.add(name);
  }
  if (wanted !== undefined) {
    if (names.size > 0 && !names.has(wanted))
      throw unclear(source, names, `no region has the attribute ${quoteName(wanted)}`);
    return (attributes) => textOr(attributes, (fields) => valueOf(fields, wanted));
  }
  const keys = keysOf(all);
  const oneKeyEach = keys.size > 1 && all.every((one) => !isObject(one) || Object.keys(one).length <= 1);
  // Without any value the name alone can be the class: one attribute for all would be on all of them.
  if (oneKeyEach && all.every((attributes) => !isObject(attributes) || namesItself(attributes)))
    return (attributes) => textOr(attributes, (fields) => Object.keys(fields)[0]);
  if (names.size <= 1) return (attributes) => textOr(attributes, (fields) => valueOf(fields, [...names][0] ?? ''));
  if (onePerRegion && all.every((attributes) => !isObject(attributes) || namesItself(attributes)))
    return (attributes) =>
      textOr(attributes, (fields) => Object.keys(fields).find((name) => valueOf(fields, name) !== undefined));
  if (fallback !== undefined) return (attributes) => textOr(attributes, () => undefined);
  throw unclear(source, names, 'regions have several attributes, and it is not clear which holds the class');
}

/** Names of all attributes, those without a value as well. */
export function keysOf(all: readonly unknown[]): ReadonlySet<string> {
  return new Set(all.flatMap((attributes) => (isObject(attributes) ? Object.keys(attributes) : [])));
}

function unclear(source: string, names: ReadonlySet<string>, problem: string): RcnnError {
  const shown = [...names].slice(0, SHOWN).map((name) => quoteName(name));
  if (names.size > SHOWN) shown.push(`and ${names.size - SHOWN} more`);
  return new RcnnError('INVALID_ARGUMENT', {
    where: source,
    problem,
    found: shown.join(', '),
    hint: 'Name the attribute with the setting classAttribute (--class-attribute NAME), or one class for all with className (--class-name NAME).',
  });
}

/** VIA 1 had plain text where attributes came later. */
function textOr(attributes: unknown, of: (fields: JSONObject) => string | undefined): string | undefined {
  if (typeof attributes === 'string') return attributes.trim() || undefined;
  return isObject(attributes) ? of(attributes) : undefined;
}

/** Whether every attribute that is set says its own name, or just that it is set. */
function namesItself(attributes: JSONObject): boolean {
  return Object.keys(attributes).every((name) => {
    const value = valueOf(attributes, name);
    return (
      value === undefined ||
      ['true', '1', 'yes', 'x'].includes(value) ||
      value.trim().toLowerCase() === name.trim().toLowerCase()
    );
  });
}

/** An attribute is text, a number, or for checkboxes an object of options that are set. */
function valueOf(attributes: JSONObject, name: string): string | undefined {
  const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
  if (typeof value === 'string') return value.trim() || undefined; // typed by people
  if (typeof value === 'number' || value === true) return String(value);
  if (!isObject(value)) return undefined;
  const set = Object.keys(value).filter((key) => value[key] === true);
  return set.length > 0 ? set.join('+') : undefined;
}

function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
