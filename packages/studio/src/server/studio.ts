import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { StartRun, StudioModel } from '../api.ts';
import { DatasetStore } from '../dataset/dataset-store.ts';
import { ModelProcess } from '../model/model-process.ts';
import type { Program } from '../program.ts';
import { type Beginning, Runs } from '../runs/runs.ts';

export interface StudioOptions {
  /** The dataset folder; a new one is begun where there is none. */
  readonly folder: string;
  /** The folder of runs. Default `runs`. */
  readonly runs?: string | undefined;
  /** The program `mask-rcnn`, which trains and exports. */
  readonly program: Program;
  /** What it is told so that it answers with proposals; see `answerProposals`. */
  readonly answer: readonly string[];
  /** Models beside the runs that proposals can come from: files, names, addresses. */
  readonly weights?: readonly string[] | undefined;
  /** Whether trainings may not use the network. Default false. */
  readonly offline?: boolean | undefined;
}

/** A body that has seen ImageNet, by its name. */
const BODY = 'resnet50';

/** Published weights that everybody can begin with. */
const PUBLISHED = 'maskrcnn_resnet50_fpn';

/** The folder, the runs and the model of one studio. */
export class Studio {
  readonly store: DatasetStore;
  readonly runs: Runs;
  readonly model: ModelProcess;
  readonly #options: StudioOptions;

  private constructor(store: DatasetStore, runs: Runs, model: ModelProcess, options: StudioOptions) {
    this.store = store;
    this.runs = runs;
    this.model = model;
    this.#options = options;
  }

  static async open(options: StudioOptions): Promise<Studio> {
    const store = await DatasetStore.open(resolve(options.folder));
    const { program, answer, offline } = options;
    const runs = new Runs({ folder: resolve(options.runs ?? 'runs'), program, data: store.folder, offline });
    return new Studio(store, runs, new ModelProcess(program, answer), options);
  }

  /** Newest run first, then what was named, then what is published. */
  models(): readonly StudioModel[] {
    const runs = this.runs.list().filter(({ hasWeights }) => hasWeights);
    return [
      ...runs.map(({ name }) => ({ key: `run:${name}`, title: name })),
      ...(this.#options.weights ?? []).map((weights) => {
        const title = basename(weights) || weights;
        return { key: `weights:${weights}`, title, note: title === weights ? undefined : weights };
      }),
      { key: `weights:${PUBLISHED}`, title: `COCO, 80 kinds of things (${PUBLISHED})`, note: 'downloads 170 MB once' },
    ];
  }

  /** What a training begins from, as the page names it. @throws INVALID_ARGUMENT */
  beginningOf(from: StartRun['from']): Beginning {
    if (from === 'quick') return {};
    return from === 'body' ? { weightsBackbone: BODY } : this.weightsOf(from);
  }

  /** The weights that a model of {@link models} means, and their architecture where a run tells it. */
  weightsOf(key: string): { readonly weights: string; readonly arch?: string | undefined } {
    const model = this.models().find((one) => one.key === key);
    if (model === undefined) {
      throw new RcnnError('INVALID_ARGUMENT', {
        where: 'studio',
        problem: 'there is no such model',
        found: quoteName(key),
        hint: 'Name files when you start the studio: mask-rcnn studio --weights FILE.',
      });
    }
    const [kind, name] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
    if (kind === 'weights') return { weights: name };
    const { arch } = this.runs.get(name);
    return { weights: this.runs.folderOf(name).path, arch };
  }

  /** The model of a run as one ONNX file, made by the command `export`. @throws EXPORT_UNSUPPORTED */
  async onnx(name: string): Promise<Uint8Array> {
    const { path } = this.runs.folderOf(name);
    const folder = await mkdtemp(join(tmpdir(), 'studio-'));
    try {
      const out = join(folder, 'model.onnx');
      const [command, ...rest] = this.#options.program;
      await promisify(execFile)(command, [...rest, 'export', path, '--out', out, '--offline']).catch(
        (cause: Error & { stderr?: string }) => {
          const found = (cause.stderr ?? cause.message).trim().split('\n').at(-1) ?? '';
          throw new RcnnError('EXPORT_UNSUPPORTED', {
            where: quoteName(name),
            problem: 'no ONNX file came of it',
            found,
          });
        },
      );
      return await readFile(out);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Ends the model, stops trainings that were begun here, and lets others into the folder. */
  async close(): Promise<readonly string[]> {
    this.model.stop();
    const stopped = await this.runs.stopAll();
    this.store.close();
    return stopped;
  }
}
