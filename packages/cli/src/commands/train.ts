import { dirname } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import { readTextSync } from '@rcnn/files';
import type { Membership, PartialConfig } from '@rcnn/train';
import { type Command, Option } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import { loaders } from '../engines/loaders.ts';
import { schemaProperties } from '../options/schema.ts';
import { addTrainOptions, placeOnLine, readTrainOptions } from '../options/train-options.ts';
import { print } from '../output/print.ts';
import { addMemberOptions, membershipOf } from '../ranks/membership.ts';
import type { SavedMessage } from '../ranks/processes.ts';

interface Flags {
  readonly config?: string;
  readonly resume?: string;
  readonly printConfig?: boolean;
  readonly quiet?: boolean;
  readonly progress: 'auto' | 'bar' | 'plain' | 'none';
  readonly hosts?: string;
  readonly rank?: number;
  readonly port?: number;
  readonly peerTimeout: number;
  readonly maxRejoins: number;
  readonly alone?: boolean;
}

/** `mask-rcnn train DATA`: from a folder of annotated images to a model, a report and pictures. */
export const train: CommandDefinition = {
  name: 'train',
  summary: 'train a model on a COCO, VIA or VOC dataset',
  examples: [
    ['mask-rcnn train photos --preset quick', 'a small network that learns simple scenes in minutes'],
    ['mask-rcnn train photos --weights maskrcnn_resnet50_fpn --epochs 12', 'from published weights'],
    ['mask-rcnn train --resume runs/train', 'go on after a stop'],
    ['mask-rcnn train photos --hosts a:29500,b:29500 --rank 0', 'one of two machines that train together'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('[data]', 'folder or annotation file to train on')
      .option('--config <file>', 'YAML file with options; the command line wins over it')
      .option('--resume <run>', 'go on with the run in this folder; other options change it')
      .option('--print-config', 'print every option as it would be used, and leave')
      .option('--quiet', 'print nothing but the result')
      .addOption(
        new Option('--progress <style>', 'how to show it').choices(['auto', 'bar', 'plain', 'none']).default('auto'),
      );
    addMemberOptions(command);
    command.addHelpText('after', presetsText);
    addTrainOptions(command, program.architectures).action(
      async (data: string | undefined, flags: Flags & Record<string, unknown>) => {
        await act(data, flags, program);
      },
    );
  },
};

/** The recipes that `--preset` may name, below the options. */
function presetsText(): string {
  const about = Object.entries(schemaProperties()['preset']!['x-about'] ?? {});
  const width = Math.max(...about.map(([name]) => name.length));
  return ['', 'Presets:', ...about.map(([name, what]) => `  ${name.padEnd(width)}  ${what}`)].join('\n');
}

async function act(
  data: string | undefined,
  flags: Flags & Record<string, unknown>,
  { architectures }: ProgramOptions,
): Promise<void> {
  const {
    architectureOf,
    checkConfig,
    consoleProgress,
    kindsOf,
    parseConfig,
    resolveConfig,
    resume,
    StopSignals,
    train: begin,
  } = await import('@rcnn/train');
  const file = flags.config === undefined ? {} : parseConfig(readTextSync(flags.config), flags.config);
  const named: PartialConfig = data === undefined ? {} : { data: dataFolder(data) };
  const line: PartialConfig = { ...named, ...readTrainOptions(flags, architectures) };
  checkConfig(line, 'mask-rcnn train', placeOnLine);
  const { weights = file.weights } = line;
  const parts: PartialConfig[] = [file, weights === undefined ? line : { ...line, weights: await fileOf(weights) }];
  if (flags.printConfig === true) {
    const { stringify } = await import('yaml');
    const { architectures: builtIn } = await import('@rcnn/models');
    const config = resolveConfig(...parts);
    architectureOf(config, architectures ?? builtIn);
    print(...stringify(config).trimEnd().split('\n'));
    return;
  }
  const membership = await membershipOf(flags);
  const isFirst = (membership?.rank ?? 0) === 0;
  const progress = consoleProgress({ style: flags.quiet === true ? 'none' : flags.progress });
  // One of several tells what goes on; the others tell what is wrong.
  const onEvent: typeof progress = (event) => {
    if (event.kind === 'saved' && membership !== undefined) tellLauncher(dirname(dirname(event.path)));
    if (isFirst || event.kind === 'warning') progress(event);
  };
  const signals = new StopSignals((signal) =>
    progress({ kind: 'note', text: `${signal}: finishing this step and saving; once more leaves at once.` }),
  );
  const options = { onEvent, membership, shouldStop: () => signals.requested !== undefined, loaders, architectures };
  try {
    const { folder, reason, scores } = await (flags.resume === undefined
      ? begin(together(parts, membership), options)
      : resume(flags.resume, together(parts, membership), options));
    if (!isFirst) return;
    for (const kind of kindsOf(scores ?? {})) {
      for (const name of [`${kind}/AP`, `${kind}/AP50`]) print(`${name}  ${scores![name]!.toFixed(4)}`);
    }
    print(`run     ${folder.path}`, `report  ${folder.report}`);
    if (reason === 'stopped') print(`resume  mask-rcnn train --resume ${folder.path}`);
  } finally {
    signals.dispose();
  }
}

/** Whoever launched this process goes on from there when it must start all of them again. */
function tellLauncher(saved: string): void {
  const message: SavedMessage = { saved };
  process.send?.(message);
}

/** Several processes meet by way of TensorFlow, and of no other engine. */
function together(parts: readonly PartialConfig[], membership: Membership | undefined): readonly PartialConfig[] {
  if (membership === undefined) return parts;
  const asked = parts.findLast(({ engine }) => engine !== undefined)?.engine ?? 'auto';
  if (asked === 'auto' || asked === 'tensorflow') return [...parts, { engine: 'tensorflow' }];
  throw new RcnnError('INVALID_ARGUMENT', {
    where: '--engine',
    problem: 'several processes train together on TensorFlow alone',
    found: asked,
    hint: 'Leave the engine out; mask-rcnn setup tensorflow makes it ready.',
  });
}

/** The argument, unless it is a file of options that was meant for `--config`: YOLO's `data.yaml` has names of classes. */
function dataFolder(data: string): string {
  if (!/\.ya?ml$/i.test(data) || namesClasses(data)) return data;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: data,
    problem: 'this is a file of options, not of data',
    expected: 'a folder or annotation file to train on',
    hint: `Write: mask-rcnn train --config ${data}`,
  });
}

function namesClasses(file: string): boolean {
  try {
    return /^["']?names["']?\s*:/m.test(readTextSync(file));
  } catch {
    return false; // whoever opens it says why
  }
}

/** The checkpoint that `--weights` means. Models are loaded for it, so not before it is asked. */
async function fileOf(weights: string): Promise<string> {
  const { weightsFile } = await import('mask-rcnn/node');
  return weightsFile(weights);
}
