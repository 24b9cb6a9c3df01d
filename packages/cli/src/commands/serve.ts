import { RcnnError } from '@rcnn/core/errors';
import type * as Serve from '@rcnn/serve';
import type { Command } from 'commander';
import type { CommandDefinition, ProgramOptions } from '../command.ts';
import { loadPredicting, type ModelFlags } from '../models/load.ts';
import { compileOption } from '../options/compile-option.ts';
import { type EngineFlags, engineOption, threadsOption } from '../options/engine-options.ts';
import { count, countOrNone, fraction, number, something } from '../options/flags.ts';
import { addModelOptions } from '../options/model-options.ts';
import { note, print } from '../output/print.ts';

interface Flags extends ModelFlags, EngineFlags {
  readonly maskThreshold: number;
  readonly slice?: number;
  readonly overlap: number;
  readonly autoOrient: boolean;
  readonly host: string;
  readonly port: number;
  readonly maxBatch?: number;
  readonly maxWait?: number;
  readonly queue?: number;
  readonly timeout?: number;
  readonly maxMegabytes?: number;
  readonly maxPixels?: number;
  readonly labelStudio?: string;
}

/** `mask-rcnn serve`: a model behind HTTP, until a signal ends it. */
export const serve: CommandDefinition = {
  name: 'serve',
  summary: 'answer HTTP requests with the objects of images; for Label Studio and CVAT too',
  examples: [
    [
      'mask-rcnn serve --weights runs/train',
      'then: curl --data-binary @photo.jpg -H content-type:image/jpeg localhost:8080/v1/detect',
    ],
    [
      'mask-rcnn serve --host 0.0.0.0 --label-studio http://studio:8080',
      'an ML backend; its token in LABEL_STUDIO_API_KEY',
    ],
  ],
  configure(command: Command, program: ProgramOptions): void {
    command.option(
      '--weights <file>',
      'checkpoint, run folder, published name or URL (default: the newest run, else COCO)',
    );
    addModelOptions(command)
      .option(
        '--score-threshold <score>',
        'leave detections below it out, unless a request says otherwise',
        fraction,
        0.5,
      )
      .option(
        '--mask-threshold <p>',
        'a pixel is object above this probability, unless a request says otherwise',
        fraction,
        0.5,
      )
      .option('--slice <pixels>', 'look at slices of this side too: for small objects in large images', count)
      .option('--overlap <share>', 'of a slice with its neighbours', number({ from: 0, to: 0.9 }), 0.2)
      .addOption(engineOption())
      .addOption(threadsOption())
      .addOption(compileOption())
      .option('--no-auto-orient', 'do not turn photographs as their EXIF orientation says')
      .option('--max-pixels <n>', 'largest image that is decoded, in pixels (64 million)', count)
      .option(
        '--host <address>',
        'where to listen; 0.0.0.0 is every network, and there is no password',
        something, // an empty one would be every network
        '127.0.0.1',
      )
      .option('--port <n>', 'where to listen; 0 takes a free one', number({ from: 0, to: 65535, whole: true }), 8080)
      .option('--max-batch <n>', 'images of one size that the model sees at once (8)', count)
      .option('--max-wait <ms>', 'how long an image waits for others of its size (5)', countOrNone)
      .option('--queue <n>', 'requests in the house at once; the next gets 429 (32)', count)
      .option('--timeout <seconds>', 'after which a request that was not answered gets 503 (60)', count)
      .option('--max-megabytes <n>', 'largest request (32)', count)
      .option('--label-studio <url>', 'where Label Studio is: the one place from which images are fetched')
      .action((flags: Flags) => run(flags, program));
  },
};

async function run(flags: Flags, { architectures }: ProgramOptions): Promise<void> {
  const { createServer } = await serveModule();
  const { startEngine } = await import('../engines/use.ts');
  const { knownClasses } = await import('../models/known-classes.ts');
  const { leastScore } = await import('mask-rcnn');
  const { slicedDetect } = await import('../predict/slices.ts');
  const { StopSignals } = await import('@rcnn/train');
  const { scoreThreshold, slice, overlap, labelStudio, maxMegabytes, host, port, ...rest } = flags;
  const { name } = await startEngine(flags, 'predict');
  const least = leastScore(scoreThreshold);
  const loaded = await loadPredicting({ ...rest, scoreThreshold: least }, architectures);
  const { model } = loaded;
  const { maskThreshold, autoOrient, maxBatch, maxWait, queue, timeout, maxPixels } = rest;
  try {
    const server = await createServer({
      detect:
        slice === undefined
          ? (images, options) => model.detect(images, options)
          : slicedDetect(model, { side: slice, overlap }),
      classes: knownClasses(loaded),
      modelVersion: loaded.name,
      scoreThreshold,
      leastScore: least,
      maskThreshold,
      autoOrient,
      maxBatch,
      maxWait,
      queue,
      timeout,
      maxPixels,
      maxBytes: maxMegabytes === undefined ? undefined : maxMegabytes * 2 ** 20,
      labelStudio:
        labelStudio === undefined ? undefined : { url: labelStudio, token: process.env['LABEL_STUDIO_API_KEY'] },
      onFailure: (error) => note(`a request failed: ${error instanceof Error ? error.message : String(error)}`),
    });
    const stopped = new Promise<NodeJS.Signals>((resolve) => new StopSignals(resolve));
    const address = await server.listen({ host, port }).catch((cause: unknown) => {
      throw cannotListen(host, port, cause);
    });
    note(`${loaded.name} on ${name}`);
    print(`listening on ${address}; its options: ${address}/docs`);
    note(`${await stopped}: answering what came in; once more leaves at once.`);
    await server.close();
  } finally {
    model.dispose();
  }
}

/** It has libraries of its own, which those who only predict need not install. @throws ENGINE_MISSING */
async function serveModule(): Promise<typeof Serve> {
  try {
    return await import('@rcnn/serve');
  } catch (cause) {
    throw new RcnnError('ENGINE_MISSING', {
      where: 'serve',
      problem: 'the server is not installed',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Install it beside this program: npm install @rcnn/serve',
      cause,
    });
  }
}

function cannotListen(host: string, port: number, cause: unknown): RcnnError {
  return new RcnnError('IO_FAILED', {
    where: `${host}:${port}`,
    problem: 'the server cannot listen there',
    found: (cause as NodeJS.ErrnoException).code ?? String(cause),
    hint: 'Is the port taken? Choose another with --port.',
    cause,
  });
}
