import { spawnSync } from 'node:child_process';
import { presets } from '@rcnn/train';
import { describe, expect, test } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { createProgram } from '../src/main.ts';
import { completionScript } from '../src/output/completion.ts';

const program = createProgram();
const find = (name: string) => program.commands.find((command) => command.name() === name)!;

describe.each(commands)('$name', ({ name, examples }) => {
  test('help shows two examples or more, and they are right', () => {
    expect(examples.length).toBeGreaterThanOrEqual(2);
    // What is launched has options of its own.
    const options = [name, ...(name === 'launch' ? ['train'] : [])].flatMap((own) => find(own).options);
    const known = new Set(options.map(({ long }) => long));
    for (const [call] of examples) {
      expect(call).toMatch(new RegExp(`^mask-rcnn ${name}( |$)`));
      const words = call.split(' ').filter((word) => word.startsWith('--'));
      for (const word of words) expect(known).toContain(word);
    }
  });

  test('every option says what it is for', () => {
    expect(find(name).options.filter(({ description }) => description === '')).toEqual([]);
  });
});

test('the options of a training are grouped, with their defaults', () => {
  const help = find('train').helpInformation();
  for (const heading of ['Recipe:', 'What the data are, in every command:', 'Model:', 'Learning:', 'Run:']) {
    expect(help).toContain(`\n${heading}\n`);
  }
  expect(help.replaceAll(/\s+/g, ' ')).toContain('--epochs <number> how often every image is seen (default: 26)');
});

test('the help of train lists the presets with what each is for', () => {
  const shown: string[] = [];
  const command = find('train');
  command.configureOutput({ writeOut: (text) => void shown.push(text) });
  command.outputHelp();
  const help = shown.join('');
  for (const [name, { about }] of Object.entries(presets))
    expect(help).toMatch(new RegExp(`\n  ${name} +${about.slice(0, 20)}`));
});

test('no option takes the arguments that stand behind its value', () => {
  const greedy = program.commands.flatMap((command) => command.options.filter(({ variadic }) => variadic));
  expect(greedy.map(({ flags }) => flags)).toEqual([]);
});

test('models of the studio are named one by one, before its folder or behind it', () => {
  const studio = createProgram().commands.find((command) => command.name() === 'studio')!;
  const { operands, unknown } = studio.parseOptions(['--weights', 'a.safetensors', 'photos', '--weights', 'runs/b']);
  expect([operands, unknown, studio.opts()['weights']]).toEqual([['photos'], [], ['a.safetensors', 'runs/b']]);
});

test('one option has one meaning: where two commands share it, it takes the same kind of value', () => {
  const kinds = new Map<string, Map<string, string[]>>();
  for (const command of program.commands) {
    for (const { long, required, optional } of command.options) {
      const kind = required ? 'value' : optional ? 'maybe' : 'switch';
      const byKind = kinds.get(long!) ?? new Map<string, string[]>();
      byKind.set(kind, [...(byKind.get(kind) ?? []), command.name()]);
      kinds.set(long!, byKind);
    }
  }
  const torn = [...kinds].filter(([, byKind]) => byKind.size > 1).map(([long, byKind]) => [long, ...byKind]);
  expect(torn).toEqual([]);
});

describe('completion', () => {
  const complete = (...words: string[]): string[] => {
    const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _mask_rcnn; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trim().split('\n');
  };

  test.skipIf(spawnSync('bash', ['--version']).error !== undefined)(
    'bash: commands, options, values',
    { meta: { whySkipped: 'needs bash' } },
    () => {
      expect(complete('mask-rcnn', 'pre')).toEqual(['predict', 'preview']);
      expect(complete('mask-rcnn', 'predict', '--save-')).toEqual(['--save-crops', '--save-masks']);
      expect(complete('mask-rcnn', 'train', '--optimizer', 'sgd')).toEqual(['sgd', 'sgdNesterov']);
      expect(complete('mask-rcnn', 'doctor', '--bad-samples', '')).toEqual(['fail', 'skip']);
    },
  );

  test('fish and zsh have every command', () => {
    for (const shell of ['fish', 'zsh'] as const) {
      const script = completionScript(program, shell);
      for (const { name } of commands) expect(script).toContain(name);
    }
  });
});
