import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { print, printJson } from '../output/print.ts';

/** Prints what a bug report needs. */
export const info: CommandDefinition = {
  name: 'info',
  summary: 'print versions, engines and environment for a bug report',
  examples: [
    ['mask-rcnn info', 'for a bug report'],
    ['mask-rcnn info --json', 'for programs'],
  ],
  configure(command: Command): void {
    command.option('--json', 'print JSON').action(async ({ json = false }: { json?: boolean }) => {
      const { collectInfo, infoText } = await import('../engines/info.ts');
      const facts = await collectInfo();
      if (json) printJson(facts);
      else print(...infoText(facts).trimEnd().split('\n'));
    });
  },
};
