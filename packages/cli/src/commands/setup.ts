import { Argument, type Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { note, print } from '../output/print.ts';

interface Options {
  readonly gpu?: boolean;
  readonly wheel?: string;
  readonly dir?: string;
}

const STEPS = {
  download: 'Downloading the wheel of TensorFlow',
  unpack: "Unpacking TensorFlow's libraries",
  compile: 'Compiling the binding of tfjs-node',
  check: 'Checking that it loads and computes',
  done: 'Done',
} as const;

/** Makes an optional engine work. */
export const setup: CommandDefinition = {
  name: 'setup',
  summary: 'make the tensorflow engine work with an installed @tensorflow/tfjs-node',
  examples: [
    ['mask-rcnn setup tensorflow', 'download, compile and check'],
    ['mask-rcnn setup tensorflow --wheel tensorflow_cpu.whl --dir tensorflow', 'without a network'],
  ],
  configure(command: Command): void {
    command
      .addArgument(new Argument('<engine>', 'what to set up').choices(['tensorflow']))
      .option('--gpu', 'for @tensorflow/tfjs-node-gpu: the wheel with CUDA 12')
      .option('--wheel <file>', 'a wheel of tensorflow-cpu (or tensorflow) on this disk, instead of a download')
      .option('--dir <folder>', "where to install (default: RCNN_TENSORFLOW_DIR, else the user's cache)")
      .action(async (_engine: string, options: Options) => setUpTensorFlow(options));
  },
};

async function setUpTensorFlow({ gpu, wheel, dir }: Options): Promise<void> {
  const { defaultRoot, setupTensorFlow } = await import('@rcnn/tfjs-tensorflow');
  const { resolve } = await import('node:path');
  const root = dir === undefined ? undefined : resolve(dir);
  const result = await setupTensorFlow({
    ...(gpu === undefined ? {} : { gpu }),
    ...(wheel === undefined ? {} : { wheel }),
    ...(root === undefined ? {} : { dir: root }),
    onProgress: reporter(),
  });
  const { changed, package: name, distribution, version } = result;
  const device = result.gpu ? 'a GPU' : 'the CPU';
  print(
    `${name} ${changed ? 'now works' : 'works already'} with ${distribution} ${version} on ${device}.`,
    result.libraries,
  );
  if (gpu === true && !result.gpu) {
    print('TensorFlow found no GPU: CUDA 12 and cuDNN 9 must be on the library path (LD_LIBRARY_PATH).');
  }
  if (root !== undefined && root !== defaultRoot()) {
    print(`Programs find it there when this is set: RCNN_TENSORFLOW_DIR=${root}`);
  }
}

/** One line per step on stderr, and one per tenth of a long one. */
function reporter(): (step: keyof typeof STEPS, done?: number, total?: number) => void {
  let line = '';
  return (step, done, total) => {
    const tenths =
      done === undefined || total === undefined || total < 10 * 2 ** 20 ? 0 : Math.floor((10 * done) / total);
    const next = `${STEPS[step]}${tenths === 0 ? '' : ` ${tenths * 10} %`}`;
    if (next !== line && step !== 'done') note(next);
    line = next;
  };
}
