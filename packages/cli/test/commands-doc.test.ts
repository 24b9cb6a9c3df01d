import { readFileSync, writeFileSync } from 'node:fs';
import { presetModels } from '@rcnn/models';
import { presets } from '@rcnn/train';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../src/main.ts';

// docs/commands.md against the program. UPDATE_DOCS=1 writes the tables of options anew.
const file = new URL('../../../docs/commands.md', import.meta.url);
let text = readFileSync(file, 'utf8');
const program = createProgram();
const { commands } = program;
const named = new Map(commands.map((command) => [command.name(), command]));

/** `## train`, up to the next heading of its kind. */
function section(name: string): string {
  const start = text.indexOf(`\n## ${name}\n`);
  if (start < 0) return '';
  const end = text.indexOf('\n## ', start + 1);
  return text.slice(start, end < 0 ? undefined : end);
}

const cell = (words: string): string => words.replaceAll('|', '\\|');

/** The table of a command's options, as the document has it. */
function optionTable(command: Command): string {
  const shown = command.options.filter(({ hidden }) => !hidden);
  const rows = shown.map(({ flags, description, defaultValue, argChoices }) => {
    const facts = [
      argChoices === undefined ? undefined : argChoices.join(', '),
      defaultValue === undefined || typeof defaultValue === 'boolean' ? undefined : `default ${String(defaultValue)}`,
    ].filter((fact) => fact !== undefined);
    return [
      `\`${cell(flags)}\``,
      cell(description) + (facts.length > 0 ? ` (${cell(facts.join('; '))})` : ''),
    ] as const;
  });
  return tableOf(['Option', 'Meaning'], rows).join('\n');
}

/** Every preset with its values and their reasons, as the document has them. */
function presetText(): string {
  const models = presetModels as Readonly<Record<string, { readonly arch?: string; readonly model?: object }>>;
  const sections = Object.entries(presets).map(([name, { about, changes, why }]) => {
    const { arch, model = {} } = models[name] ?? {};
    const ofModel = Object.entries(model).map(([key, value]) => [`model.${key}`, value] as const);
    const values = [...Object.entries(changes), ...(arch === undefined ? [] : [['arch', arch] as const]), ...ofModel];
    expect(Object.keys(why).sort()).toEqual(values.map(([key]) => key).sort()); // a reason for each, and no other
    const rows = values.map(([key, value]) => [`\`${key}: ${valueText(value)}\``, why[key]!] as const);
    const table = rows.length === 0 ? [] : ['', ...tableOf(['Value', 'Reason'], rows)];
    return [`**\`${name}\`**: ${about}.`, ...table].join('\n');
  });
  return sections.join('\n\n');
}

function valueText(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

function tableOf(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  const widths = [0, 1].map((i) => Math.max(head[i]!.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((words, i) => words.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)];
}

const PRESETS = /(?<=<!-- presets -->\n)[\s\S]*?(?=<!-- \/presets -->)/;

test('every command has its section, and every section its command', () => {
  const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, name]) => name!);
  expect(sections).toEqual([...named.keys()]);
});

const TABLE = /\| Option[\s\S]*?(?=\n\n|\n?$)/;

if (process.env.UPDATE_DOCS === '1') {
  for (const [name, command] of named) {
    const before = section(name);
    if (command.options.length > 0)
      text = text.replace(before, () => before.replace(TABLE, () => optionTable(command)));
  }
  text = text.replace(PRESETS, () => `\n${presetText()}\n\n`);
  writeFileSync(file, text);
}

describe('the table of options is the program’s own (UPDATE_DOCS=1 writes it)', () => {
  test.each([...named])('%s', (name, command) => {
    const table = command.options.length === 0 ? undefined : optionTable(command);
    expect(TABLE.exec(section(name))?.[0]).toBe(table);
  });
});

test('the presets are the program’s own, each value with its reason (UPDATE_DOCS=1 writes them)', () =>
  expect(PRESETS.exec(text)?.[0].trim()).toBe(presetText()));

describe('what is shown', () => {
  const calls = [...text.matchAll(/^\$ mask-rcnn (.+)$/gm)].map(([, call]) => call!);

  test('is shown of every command', () => {
    const shown = new Set(calls.map((call) => call.split(' ')[0]));
    expect([...named.keys()].filter((name) => !shown.has(name))).toEqual([]);
  });

  test.each(calls)('mask-rcnn %s: command and options exist', (call) => {
    const [name = '', ...words] = call.split(' ');
    const command = named.get(name);
    expect(command).toBeDefined();
    // What is launched has options of its own.
    const options = [...command!.options, ...(name === 'launch' ? named.get('train')!.options : [])];
    const known = new Set(options.flatMap(({ long, short }) => [long, short]));
    for (const word of words.filter((part) => part.startsWith('-') && part !== '-')) expect(known).toContain(word);
  });

  test('names no folder of whoever wrote it', () => {
    expect(text).not.toMatch(/\/(?:home|Users|root|tmp|work|opt)\//);
  });
});

test('options in the text exist', () => {
  const all = new Set([program, ...commands].flatMap(({ options }) => options.map(({ long }) => long)));
  for (const [, option] of text.matchAll(/`(--[a-z-]+)[ `]/g)) expect(all).toContain(option);
});
