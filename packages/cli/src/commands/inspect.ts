import { counted, printable } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { note, print, printJson } from '../output/print.ts';

/** `mask-rcnn inspect FILE`: what a checkpoint of any format holds. */
export const inspect: CommandDefinition = {
  name: 'inspect',
  summary: 'list the tensors of a checkpoint: name, type, shape and SHA-256',
  examples: [
    ['mask-rcnn inspect runs/train/checkpoints/best.safetensors', 'names, types, shapes and digests'],
    ['mask-rcnn inspect weights.pth --json', 'the same for programs'],
  ],
  configure(command: Command): void {
    command
      .argument(
        '<file>',
        'a .safetensors or .pth file, the https address of one, a run folder or the name of published weights; nothing in it is run',
      )
      .option('--offline', 'never use the network')
      .option('--json', 'one JSON object on stdout')
      .addHelpText(
        'after',
        '\nThe SHA-256 is that of the contiguous little-endian bytes in the stored type,\nso the same numbers have the same digest in every file format.',
      )
      .action(run);
  },
};

interface Flags {
  readonly json?: boolean;
  readonly offline?: boolean;
}

async function run(what: string, { json = false, offline = false }: Flags): Promise<void> {
  const { downloadReporter, inspectTensors, loadPretrained, nodeHashing } = await import('@rcnn/checkpoint/node');
  const { weightsFile } = await import('mask-rcnn/node');
  const checkpoint = await loadPretrained(weightsFile(what), { offline, onEvent: downloadReporter(note) });
  const { path: file } = checkpoint;
  try {
    const names = [checkpoint.weights, ...checkpoint.groups.values()].flatMap(({ tensors }) => [...tensors.keys()]);
    const width = Math.max(0, ...names.map((name) => printable(name).length));
    const tensors = [];
    for await (const tensor of inspectTensors(checkpoint, nodeHashing)) {
      tensors.push(tensor);
      const { name, dtype, shape, sha256 } = tensor;
      if (!json) print(`${printable(name).padEnd(width)}  ${dtype.padEnd(8)}  ${sha256}  [${shape.join(', ')}]`);
    }
    const { format } = checkpoint.weights;
    const { profile, info } = checkpoint;
    if (json) {
      printJson({ file, format, verified: checkpoint.verified, profile, info, tensors });
    } else {
      const verified = checkpoint.verified ? ', digests right' : '';
      const source = profile === undefined ? '' : `, ${profile.source}`;
      note(`${file}: ${format}, ${counted(tensors.length, 'tensor')}${source}${verified}`);
    }
  } finally {
    await checkpoint.close();
  }
}
