import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RcnnError } from '@rcnn/core/errors';
import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import type { ModelFlags } from '../models/load.ts';
import { fraction, number } from '../options/flags.ts';
import { addModelOptions } from '../options/model-options.ts';
import { requireWritable } from '../options/output-file.ts';
import { note, print } from '../output/print.ts';

interface Flags extends Omit<ModelFlags, 'weights'> {
  readonly out: string;
  readonly threeParts?: boolean;
  readonly half?: boolean;
  readonly int8?: boolean;
  readonly opset?: number;
  readonly force?: boolean;
}

/** `mask-rcnn export RUN`: a model as ONNX, for programs that are none of ours. */
export const exportModel: CommandDefinition = {
  name: 'export',
  summary: 'write a Mask or Faster R-CNN as an ONNX file that plain onnxruntime runs',
  examples: [
    ['mask-rcnn export runs/train --out balloons.onnx', 'pixels in, boxes, labels, scores and masks out'],
    ['mask-rcnn export runs/train --out balloons.onnx --half', 'half the size'],
    ['mask-rcnn export runs/train --out balloons.onnx --three-parts', 'without proposals, RoIAlign and suppression'],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command
      .argument('<weights>', 'run folder, checkpoint, published name or URL')
      .option('--out <file>', 'the .onnx file to write', 'model.onnx')
      .option('--three-parts', 'three files: image to pyramid and proposals, regions to boxes, regions to masks')
      .option('--half', 'weights as half floats: half the size')
      .option('--int8', 'weights as whole numbers of 8 bits: a quarter of the size, a little less exact')
      .option('--opset <n>', 'version of the operators, 16 to 21', number({ from: 16, to: 21, whole: true }), 17);
    addModelOptions(command)
      .option('--score-threshold <score>', 'leave detections below it out (default: 0.05)', fraction)
      .option('--force', 'replace the files if they exist')
      .addHelpText(
        'after',
        '\nInput image: float32 [3, height, width], RGB in [0, 1], of any size; resizing and\nnormalizing are in the file. Outputs, best first: boxes [n, 4] in pixels of the image,\nlabels [n], scores [n], masks [n, 1, 28, 28], each the probabilities inside its box.',
      )
      .action((weights: string, flags: Flags) => run(weights, flags, program));
  },
};

async function run(weights: string, flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  const files = checkFiles(flags);
  if (flags.half === true && flags.int8 === true) {
    throw new RcnnError('INVALID_ARGUMENT', { where: 'export', problem: '--half and --int8 exclude each other' });
  }
  const { startEngine } = await import('../engines/use.ts');
  const { loadModel } = await import('../models/load.ts');
  const { exportOnnx, exportOnnxParts } = await import('@rcnn/onnx');
  const { atomicWrite } = await import('@rcnn/checkpoint/node');
  await startEngine({ engine: 'auto' }, 'predict');
  const { model, profile } = await loadModel({ ...flags, weights }, architectures);
  const precision = flags.half === true ? 'float16' : flags.int8 === true ? 'int8' : 'float32';
  const options = { opset: flags.opset, weights: precision, profile } as const;
  try {
    const contents =
      flags.threeParts === true
        ? { ...(await exportOnnxParts(model, options)) }
        : { whole: await exportOnnx(model, options) };
    for (const [part, bytes] of Object.entries(contents)) {
      const file = files[part as keyof typeof files];
      await atomicWrite(file, bytes);
      print(file);
      note(`${(bytes.length / 1e6).toFixed(1)} MB, opset ${flags.opset}, weights ${precision}`);
    }
  } finally {
    model.dispose();
  }
}

/** Names of the files, each of which may be written. @throws INVALID_ARGUMENT, FILE_MISSING, FILE_EXISTS */
function checkFiles({
  out,
  threeParts = false,
  force = false,
}: Flags): Record<'whole' | 'image' | 'box' | 'mask', string> {
  if (!out.endsWith('.onnx')) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'export',
      place: out,
      problem: 'only ONNX files are written',
      expected: 'a name that ends with .onnx',
    });
  }
  requireWritable('--out', out);
  const part = (name: string): string => join(dirname(out), `${basename(out, '.onnx')}.${name}.onnx`);
  const files = { whole: out, image: part('image'), box: part('box'), mask: part('mask') };
  const written = threeParts ? [files.image, files.box, files.mask] : [files.whole];
  const taken = written.find((file) => existsSync(file));
  if (taken === undefined || force) return files;
  throw new RcnnError('FILE_EXISTS', {
    where: 'export',
    place: taken,
    problem: 'the file exists',
    hint: 'Choose another name, or say --force.',
  });
}
