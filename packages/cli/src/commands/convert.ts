import { existsSync } from 'node:fs';
import type { TensorEntry } from '@rcnn/checkpoint';
import { counted, RcnnError } from '@rcnn/core/errors';
import { type Command, Option } from 'commander';
import type { CommandDefinition } from '../command.ts';
import { requireWritable } from '../options/output-file.ts';
import { note } from '../output/print.ts';

/** `mask-rcnn convert IN OUT`: any checkpoint to a safetensors file with torchvision's current names. */
export const convert: CommandDefinition = {
  name: 'convert',
  summary: 'turn a .pth, .pkl or .safetensors file into a safetensors checkpoint of ours',
  examples: [
    ['mask-rcnn convert weights.pth weights.safetensors', 'from PyTorch'],
    ['mask-rcnn convert old.safetensors new.safetensors --force', 'replace what is there'],
    ['mask-rcnn convert https://example.com/weights.pth weights.safetensors', 'download it first'],
  ],
  configure(command: Command): void {
    command
      .argument('<in>', 'a .pth, .pkl or .safetensors file, the https address of one, or the name of published weights')
      .argument('<out>', 'the .safetensors file to write')
      .option('--moving-average', 'take the moving average of the weights that the file has beside them')
      .addOption(
        new Option(
          '--style <style>',
          'how the body of a detectron2 or mmdetection file was trained, where the file does not say',
        ).choices(['caffe', 'pytorch']),
      )
      .option('--offline', 'never use the network')
      .option('--force', 'replace OUT if it exists')
      .addHelpText(
        'after',
        "\nTakes the model out of a training checkpoint, gives tensors the names that torchvision\nuses today and drops batch norm's counters. Layouts stay PyTorch's, which our files have\ntoo: the result loads here and, with safetensors.torch.load_file, in torchvision.\nMask and Faster R-CNN of detectron2 (.pkl, .pth) and mmdetection (.pth) get torchvision's\nnames and the background first; how their images and regions are stands in the profile.",
      )
      .action(run);
  },
};

interface Flags {
  readonly force?: boolean;
  readonly movingAverage?: boolean;
  readonly offline?: boolean;
  readonly style?: 'caffe' | 'pytorch';
}

async function run(
  input: string,
  output: string,
  { force = false, movingAverage: ema = false, offline = false, style }: Flags,
): Promise<void> {
  const { besideModel, convertForeign, downloadReporter, loadPretrained, normaliseTensors, saveCheckpoint } =
    await import('@rcnn/checkpoint/node');
  checkOutput(output, force);
  const checkpoint = await loadPretrained(input, { offline, onEvent: downloadReporter(note) });
  const { path, weights } = checkpoint;
  try {
    if (!ema) for (const message of besideModel(weights)) note(`warning: ${path}: ${message}`);
    const averaged = ema ? 'averaged weights, ' : '';
    const foreign = await convertForeign(weights, { ema, style });
    if (foreign !== undefined) {
      const { program, tensors, profile, dropped, assumed } = foreign;
      await warnOfNonFinite(path, tensors);
      await saveCheckpoint(output, { weights: tensors, profile });
      note(
        `${output}: ${counted(tensors.length, 'tensor')} from ${path}, a model of ${program} (${averaged}${dropped.length} dropped)`,
      );
      if (assumed !== undefined) note(`warning: ${path}: ${assumed}; if it is otherwise, say so with --style`);
      return;
    }
    const { tensors, renamed, dropped } = normaliseTensors(weights, { ema });
    await warnOfNonFinite(path, tensors);
    await saveCheckpoint(output, { weights: tensors, profile: checkpoint.profile });
    const changes = `${averaged}${renamed.length} renamed, ${dropped.length} dropped`;
    note(`${output}: ${counted(tensors.length, 'tensor')} from ${path} (${changes})`);
  } finally {
    await checkpoint.close();
  }
}

const SHOWN = 3; // tensors by name

/** Nothing is lost by writing them, and no command loads them: whoever converts should hear of it first. */
async function warnOfNonFinite(path: string, tensors: Iterable<TensorEntry>): Promise<void> {
  const { nonFiniteTensors } = await import('@rcnn/checkpoint/node');
  const bad = await nonFiniteTensors(tensors);
  if (bad.length === 0) return;
  const count = bad.reduce((sum, one) => sum + one.count, 0);
  const shown = bad.slice(0, SHOWN).map((one) => `${one.name} (${one.count})`);
  const more = bad.length > SHOWN ? ', …' : '';
  note(
    `warning: ${path}: ${count} numbers of ${bad.length} tensors are NaN or infinite: ${shown.join(', ')}${more}; no model is given such weights. Did the training that wrote it diverge?`,
  );
}

function checkOutput(output: string, force: boolean): void {
  if (!output.endsWith('.safetensors')) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'convert',
      place: output,
      problem: 'only safetensors files are written',
      expected: 'a name that ends with .safetensors',
      hint: 'In Python, safetensors.torch.load_file reads them into a state dict.',
    });
  }
  if (existsSync(output) && !force) {
    throw new RcnnError('FILE_EXISTS', {
      where: 'convert',
      place: output,
      problem: 'the file exists',
      hint: 'Choose another name, or say --force.',
    });
  }
  requireWritable('OUT', output);
}
