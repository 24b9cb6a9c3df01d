import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RcnnError } from '@rcnn/core/errors';
import type { PartialConfig } from '@rcnn/train';
import { type Command, Option } from 'commander';
import { numberOf } from './flags.ts';

/** One option as the JSON schema of `@rcnn/train` has it. */
interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly description?: string;
  readonly anyOf?: readonly Property[];
}

/**
 * Adds every training option to a command, from the schema that YAML files are checked with: the names cannot drift
 * apart. `learningRate` is spelt `--learning-rate`.
 */
export function addTrainOptions(command: Command): Command {
  for (const [name, property] of Object.entries(schemaOf())) {
    if (name === 'data') continue; // the argument
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = new Option(`--${flag} <${placeholder(property)}>`, lowerFirst(property.description));
    if (property.enum !== undefined) option.choices(property.enum);
    command.addOption(option);
  }
  return command;
}

/** What was given on the command line, with the types that the schema asks for. @throws CONFIG_INVALID */
export function readTrainOptions(given: Readonly<Record<string, unknown>>): PartialConfig {
  const config: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schemaOf())) {
    const text = given[name];
    if (typeof text === 'string') config[name] = parse(text, property, name);
  }
  return config as PartialConfig;
}

let properties: Readonly<Record<string, Property>> | undefined;

/** Read from its file: importing the schema itself would load zod for every `--help`. */
function schemaOf(): Readonly<Record<string, Property>> {
  if (properties !== undefined) return properties;
  const file = createRequire(import.meta.url).resolve('@rcnn/train/train.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as { readonly properties: Readonly<Record<string, Property>> };
  properties = schema.properties;
  return properties;
}

function placeholder({ type, anyOf, enum: choices }: Property): string {
  if (choices !== undefined) return 'name';
  if (type === 'array') return 'a,b,…';
  if (type === 'object') return 'pattern=factor,…';
  const words = (anyOf ?? []).map((part) => part.const ?? placeholder(part));
  if (words.length > 0) return words.join('|');
  return type === 'integer' || type === 'number' ? 'number' : 'text';
}

function parse(text: string, property: Property, name: string): unknown {
  const { type, anyOf } = property;
  if (anyOf !== undefined) {
    if (anyOf.some((part) => part.const === text)) return text;
    const list = anyOf.find((part) => part.type === 'array');
    return list !== undefined && text.includes(',') ? parse(text, list, name) : parse(text, anyOf[0]!, name);
  }
  if (type === 'integer' || type === 'number') return toNumber(text, name);
  if (type === 'array') return text.split(',').map((part) => (name === 'freeze' ? part : toNumber(part, name)));
  if (type === 'object') return Object.fromEntries(text.split(',').map((part) => toPair(part, name)));
  return text;
}

function toPair(text: string, name: string): [string, number] {
  const at = text.lastIndexOf('=');
  if (at > 0) return [text.slice(0, at), toNumber(text.slice(at + 1), name)];
  throw invalid(name, text, 'pattern=factor, as backbone.*=0.1');
}

function toNumber(text: string, name: string): number {
  const value = numberOf(text);
  if (value !== undefined) return value;
  throw invalid(name, text, 'a number');
}

function invalid(name: string, found: string, expected: string): RcnnError {
  return new RcnnError('CONFIG_INVALID', {
    where: 'mask-rcnn train',
    place: name,
    problem: 'cannot read the value',
    found: `'${found}'`,
    expected,
  });
}

/** Descriptions begin small in help texts; words all in capitals stay so. */
function lowerFirst(text = ''): string {
  return /^[A-Z][^A-Z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}
