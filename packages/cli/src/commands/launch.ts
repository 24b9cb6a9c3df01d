import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RcnnError } from '@rcnn/core/errors';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { countOrNone, numberOf } from '../options/flags.ts';
import { note } from '../output/print.ts';
import { fetchWeights } from '../ranks/fetch-weights.ts';
import { mayOwnNetwork, OWN_NETWORK } from '../ranks/own-network.ts';
import { type Launch, runRestarting } from '../ranks/restarts.ts';

interface Flags {
  readonly processes: Pick<Launch, 'most' | 'least'>;
  readonly maxRestarts: number;
  readonly network: 'auto' | 'own' | 'host';
}

/** `mask-rcnn launch -n 2 train …`: processes of this machine that train together. */
export const launch: CommandDefinition = {
  name: 'launch',
  summary: 'run a training in several processes of this machine',
  examples: [
    ['mask-rcnn launch -n 2 train photos --batch-size 2', 'steps of four images, two in each process'],
    ['mask-rcnn launch -n 2 train --resume runs/train', 'go on after a stop'],
    ['mask-rcnn launch -n 2 --max-restarts 3 train photos', 'goes on by itself after a failure'],
  ],
  configure(command: Command): void {
    command
      .argument('<command...>', 'what each process runs: train and its options')
      .requiredOption(
        '-n, --processes <n>',
        'how many; 1:4 starts four, and goes on with fewer, down to one, where a restart with all fails',
        processCount,
      )
      .option(
        '--max-restarts <n>',
        'how often all processes are started again after a failure, from the last save',
        countOrNone,
        0,
      )
      .addOption(
        new Option(
          '--network <kind>',
          'own: a network that nobody else reaches, without access to any other; host: that of the machine, where others can reach the processes; auto: own where it may be made',
        )
          .choices(['auto', 'own', 'host'])
          .default('auto'),
      )
      .action(act);
  },
};

/** Puts `--` before the command that is launched: the options after it are its own. */
export function launchedCommand(args: readonly string[]): readonly string[] {
  if (args[0] !== 'launch' || args.includes('--')) return args;
  const takesValue = new Set(['-n', '--processes', '--max-restarts', '--network']);
  let at = 1;
  while (at < args.length && args[at]!.startsWith('-')) at += takesValue.has(args[at]!) ? 2 : 1;
  return at >= args.length ? args : [...args.slice(0, at), '--', ...args.slice(at)];
}

/** `4`, or as torchrun has it the least and the most: `1:4`. */
function processCount(text: string): Flags['processes'] {
  const [least, most = least, more] = text.split(':').map((part) => numberOf(part, { from: 1, whole: true }));
  if (least !== undefined && most !== undefined && more === undefined && least <= most) return { least, most };
  throw new InvalidArgumentError('It must be a whole number from 1, or the least and the most: 1:4.');
}

async function act(command: readonly string[], { processes, maxRestarts: restarts, network }: Flags): Promise<void> {
  if (command[0] !== 'train') {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'launch',
      problem: 'this is not a command that several processes run together',
      found: command[0]!,
      expected: 'train',
      hint: "Predictions are shared by 'mask-rcnn predict --shard 0/2', without any network.",
    });
  }
  const start = { ...processes, restarts };
  const whole = [process.execPath, process.argv[1]!, ...command];
  const own = network !== 'host' && mayOwnNetwork();
  if (own) {
    await fetchWeights(command);
    process.exitCode = await inOwnNetwork(start, whole);
    return;
  }
  if (network === 'own') {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: '--network own',
      problem: 'this process may not make a network of its own',
      hint: 'It takes Linux, unshare and ip, and the right to make namespaces. --network host does without.',
    });
  }
  note(
    'warning: these processes listen on all interfaces of this machine, without a password: whoever reaches their ports runs what he likes.',
  );
  process.exitCode = await runRestarting(whole, start);
}

/** The same call in a network of its own: what it starts cannot be reached, and reaches nothing. */
async function inOwnNetwork(start: Launch, command: readonly string[]): Promise<number> {
  const script = fileURLToPath(new URL('../ranks/in-own-network.js', import.meta.url));
  const [program, ...args] = OWN_NETWORK;
  const child = spawn(program!, [...args, process.execPath, script, JSON.stringify(start), ...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', pass);
  process.on('SIGTERM', pass);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (given) => resolve(given ?? 1));
  });
  process.removeListener('SIGINT', pass);
  process.removeListener('SIGTERM', pass);
  return code;
}
