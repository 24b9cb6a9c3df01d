import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import { numberOf } from './flags.ts';

/** One option as the JSON schema of `@rcnn/train` has it. */
export interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly description?: string;
  readonly anyOf?: readonly Property[];
  readonly deprecated?: boolean;
  readonly properties?: Properties;
  /** What a list holds; false where nothing may follow. */
  readonly items?: Property | false;
  readonly default?: unknown;
  /** The heading under which help lists it; `Dataset` for the settings that every command on data has. */
  readonly 'x-group'?: string;
  /** The word for its value in help texts. */
  readonly 'x-takes'?: string;
  /** What each value of a choice is, in half a sentence. */
  readonly 'x-about'?: Readonly<Record<string, string>>;
  readonly minimum?: number;
  readonly maximum?: number;
}

export type Properties = Readonly<Record<string, Property>>;

let properties: Properties | undefined;

/** Every option by name. Read from its file: importing the schema itself would load zod for every `--help`. */
export function schemaProperties(): Readonly<Record<string, Property>> {
  if (properties !== undefined) return properties;
  const file = createRequire(import.meta.url).resolve('@rcnn/train/train.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as { readonly properties: Readonly<Record<string, Property>> };
  properties = schema.properties;
  return properties;
}

/** Those of one group. */
export function groupOf(group: string): Readonly<Record<string, Property>> {
  return Object.fromEntries(Object.entries(schemaProperties()).filter(([, property]) => property['x-group'] === group));
}

/** `--learning-rate` of `learningRate`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Adds an option of the schema to a command; a switch also with `--no-`, for files may say the opposite. */
export function addProperty(command: Command, name: string, property: Property): void {
  const flag = flagOf(name);
  const heading = HEADINGS[property['x-group'] ?? ''] ?? `${property['x-group']}:`;
  const about = lowerFirst(property.description) + usual(property);
  if (property.type === 'boolean') {
    command.addOption(new Option(flag, about).helpGroup(heading));
    command.addOption(new Option(flag.replace(/^--/, '--no-'), 'not so').hideHelp());
    return;
  }
  const option = new Option(`${flag} <${placeholder(property)}>`, about).helpGroup(heading);
  if (property.enum !== undefined) option.choices(property.enum);
  command.addOption(property.deprecated === true ? option.hideHelp() : option);
}

/** The value that a text means, with the type that the schema asks for. @throws CONFIG_INVALID */
export function valueOf(text: string, property: Property, name: string): unknown {
  const { type, anyOf, items } = property;
  if (anyOf !== undefined) {
    if (anyOf.some((part) => part.const === text)) return text;
    const list = anyOf.find((part) => part.type === 'array');
    return list !== undefined && text.includes(',') ? valueOf(text, list, name) : valueOf(text, anyOf[0]!, name);
  }
  if (type === 'integer' || type === 'number') return toNumber(text, name);
  if (type === 'array' && items !== undefined && items !== false && items.type === 'array') {
    return text.split(',').map((part) => toRange(part, name));
  }
  if (type === 'array') return text.split(',').map((part) => (name === 'freeze' ? part : toNumber(part, name)));
  if (type === 'object') return Object.fromEntries(text.split(',').map((part) => toPair(part, name)));
  return text;
}

const HEADINGS: Readonly<Record<string, string>> = {
  Dataset: 'What the data are, in every command:',
  Start: 'Recipe:',
};

/** The default, which the command line must not fill in: a file of options may say otherwise. */
function usual({ default: value }: Property): string {
  if (value === undefined || (typeof value === 'object' && Object.keys(value as object).length === 0)) return '';
  return ` (default: ${Array.isArray(value) ? value.join(',') : String(value as string | number)})`;
}

function placeholder({ type, anyOf, items, enum: choices, 'x-takes': takes }: Property): string {
  if (takes !== undefined) return takes;
  if (choices !== undefined) return 'name';
  if (type === 'array') return items !== undefined && items !== false && items.type === 'array' ? 'a-b,c-d,…' : 'a,b,…';
  if (type === 'object') return 'pattern=factor,…';
  const words = (anyOf ?? []).map((part) => part.const ?? placeholder(part));
  if (words.length > 0) return words.join('|');
  return type === 'integer' || type === 'number' ? 'number' : 'text';
}

function toPair(text: string, name: string): [string, number] {
  const at = text.lastIndexOf('=');
  if (at > 0) return [text.slice(0, at), toNumber(text.slice(at + 1), name)];
  throw invalid(name, text, 'pattern=factor, as backbone.*=0.1');
}

/** `12-48`: from and to. */
function toRange(text: string, name: string): [from: number, to: number] {
  const ends = text.split('-');
  if (ends.length === 2 && ends.every((end) => end !== '')) return [toNumber(ends[0]!, name), toNumber(ends[1]!, name)];
  throw invalid(name, text, 'from-to, as 12-48,24-96');
}

function toNumber(text: string, name: string): number {
  const value = numberOf(text);
  if (value !== undefined) return value;
  throw invalid(name, text, 'a number');
}

function invalid(name: string, found: string, expected: string): RcnnError {
  return new RcnnError('CONFIG_INVALID', {
    where: 'mask-rcnn',
    place: flagOf(name),
    problem: 'cannot read the value',
    found: `'${found}'`,
    expected,
  });
}

/** Descriptions begin small in help texts; words all in capitals stay so. */
function lowerFirst(text = ''): string {
  return /^[A-Z][^A-Z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}
