import { Argument, type Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { print } from '../output/print.ts';

/** `mask-rcnn completion SHELL`: a script that completes commands, options and their values. */
export const completion: CommandDefinition = {
  name: 'completion',
  summary: 'print a script that completes commands and options in your shell',
  examples: [
    ['mask-rcnn completion bash >> ~/.bashrc', 'for every new bash'],
    ['mask-rcnn completion fish > ~/.config/fish/completions/mask-rcnn.fish', 'for fish'],
  ],
  configure(command: Command): void {
    command
      .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
      .action(async (shell: 'bash' | 'zsh' | 'fish', _options: unknown, self: Command) => {
        const { completionScript } = await import('../output/completion.ts');
        print(...completionScript(self.parent!, shell).trimEnd().split('\n'));
      });
  },
};
