import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../src/main.ts';

// docs/commands.md against the program. UPDATE_DOCS=1 writes the tables of options anew.
const file = new URL('../../../docs/commands.md', import.meta.url);
const text = readFileSync(file, 'utf8');
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
  const widths = [0, 1].map((i) => Math.max(i === 0 ? 6 : 7, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((words, i) => words.padEnd(widths[i]!)).join(' | ')} |`;
  return [
    line(['Option', 'Meaning']),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...rows.map(line),
  ].join('\n');
}

test('every command has its section, and every section its command', () => {
  const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, name]) => name!);
  expect(sections).toEqual([...named.keys()]);
});

const TABLE = /\| Option[\s\S]*?(?=\n\n|\n?$)/;

test.runIf(process.env.UPDATE_DOCS === '1')('writes the tables', () => {
  let updated = text;
  for (const [name, command] of named) {
    const before = section(name);
    if (command.options.length > 0)
      updated = updated.replace(before, () => before.replace(TABLE, () => optionTable(command)));
  }
  writeFileSync(file, updated);
});

describe.skipIf(process.env.UPDATE_DOCS === '1')(
  'the table of options is the program’s own (UPDATE_DOCS=1 writes it)',
  () => {
    test.each([...named])('%s', (name, command) => {
      const table = command.options.length === 0 ? undefined : optionTable(command);
      expect(TABLE.exec(section(name))?.[0]).toBe(table);
    });
  },
);

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
