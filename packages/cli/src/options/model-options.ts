import type { Command } from 'commander';
import { count } from './flags.ts';

/** What a command that predicts may say of the model's architecture and its limits. */
export function addModelOptions(command: Command): Command {
  return command
    .option('--arch <name>', 'architecture, when the file does not say')
    .option('--num-classes <n>', 'classes of the model, background included', count)
    .option('--min-size <pixels>', 'length of the short side that the model sees', count)
    .option('--max-size <pixels>', 'limit of the long side that the model sees', count)
    .option('--proposals <n>', 'proposals that are kept per image', count)
    .option('--detections <n>', 'objects per image at most', count)
    .option('--offline', 'never use the network');
}
