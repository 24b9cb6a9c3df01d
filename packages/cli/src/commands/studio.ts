import { RcnnError } from '@rcnn/core/errors';
import type { OpenedModel, Program } from '@rcnn/studio';
import { type Command, Option } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import { collected, number } from '../options/flags.ts';
import { note, print } from '../output/print.ts';

interface Flags {
  readonly runs: string;
  readonly weights?: readonly string[];
  readonly port?: number;
  readonly offline?: boolean;
  readonly answer?: boolean;
}

/** Where the studio listens when that is free: an address that stays finds again what a page could not send. */
const PORT = 8484;

/** `mask-rcnn studio DIR`: from photographs to a trained model, in a page. */
export const studio: CommandDefinition = {
  name: 'studio',
  summary: 'outline objects, train and try a model in a page on this machine',
  examples: [
    ['mask-rcnn studio photos', 'a folder of photographs, or a COCO dataset; then open the address it prints'],
    ['mask-rcnn studio photos --weights balloons.safetensors', 'with a model of yours that proposes outlines'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('[folder]', 'a dataset in COCO format, a folder of photographs, or a new folder', 'dataset')
      .option('--runs <folder>', 'where trainings are', 'runs')
      .option(
        '--weights <file>',
        'a model to propose with, beside those in --runs: a file, published name or URL; once for each',
        collected,
      )
      .option('--port <n>', `where to listen on 127.0.0.1; 0 takes a free one (${PORT}, else a free one)`, portNumber)
      .option('--offline', 'never use the network')
      .addOption(new Option('--answer', 'propose outlines to the studio that began this process').hideHelp())
      .action((folder: string, flags: Flags) => (flags.answer === true ? answer(flags, program) : run(folder, flags)));
  },
};

const portNumber = number({ from: 0, to: 65535, whole: true });

async function run(folder: string, { runs, weights, port, offline = false }: Flags): Promise<void> {
  const { createStudio } = await import('@rcnn/studio');
  const { StopSignals } = await import('@rcnn/train');
  const program = thisProgram();
  const answering = ['studio', '--answer', ...(offline ? ['--offline'] : [])];
  const server = await createStudio({ folder, runs, weights, program, offline, answer: answering });
  let stopped: readonly string[] = [];
  try {
    const signal = new Promise<NodeJS.Signals>((resolve) => new StopSignals(resolve));
    const address = await server.listen(port ?? PORT).catch((cause: unknown) => {
      if (port === undefined && (cause as NodeJS.ErrnoException).code === 'EADDRINUSE') return server.listen(0);
      throw cannotListen(port ?? PORT, cause);
    });
    print(`open ${address}`);
    note('Everything is kept in the folder as you work. Ctrl-C ends the studio.');
    note(`${await signal}: saving.`);
  } finally {
    stopped = await server.close();
  }
  for (const name of stopped) note(`The training ${name} is saved. Go on: mask-rcnn train --resume ${runs}/${name}`);
}

/** How this very program is called again, with the engines and architectures that it has. */
function thisProgram(): Program {
  return [process.execPath, ...process.execArgv, process.argv[1]!];
}

/** Loads models as `predict` does, and proposes with them. */
async function answer({ offline = false }: Flags, { architectures }: ProgramOptions): Promise<void> {
  const { answerProposals } = await import('@rcnn/studio');
  const { startEngine } = await import('../engines/use.ts');
  const { loadPredicting } = await import('../models/load.ts');
  const { knownClasses } = await import('../models/known-classes.ts');
  await answerProposals(async (weights): Promise<OpenedModel> => {
    await startEngine({ engine: 'auto' }, 'predict');
    const loaded = await loadPredicting({ weights, offline }, architectures);
    const classes = knownClasses(loaded);
    return {
      detect: (images) => loaded.model.detect(images, { maskThreshold: 0.5 }),
      nameOf: (label) => classes?.entryOf(label)?.name ?? `class ${label}`,
      dispose: () => loaded.model.dispose(),
    };
  });
}

function cannotListen(port: number, cause: unknown): RcnnError {
  return new RcnnError('IO_FAILED', {
    where: `127.0.0.1:${port}`,
    problem: 'the studio cannot listen there',
    found: (cause as NodeJS.ErrnoException).code ?? String(cause),
    hint: 'Is the port taken? Choose another with --port.',
    cause,
  });
}
