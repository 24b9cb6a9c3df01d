import { createHash } from 'node:crypto';
import { mkdir, readFile, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { installFile, installFolder, sweep, withScratchFolder, writeSynced } from './atomic.ts';
import { checkLoads } from './check-loads.ts';
import { COLLECTIVES, compileBinding, FLAGS, findCompiler, SOURCES } from './compile.ts';
import { downloadWheel } from './download.ts';
import { failure, fileFailure } from './failures.ts';
import { reachedHeaders } from './headers.ts';
import { findInstallation, type Installation, isIntact, readBinding, readLibraries, recordOf } from './installation.ts';
import {
  type ActiveManifest,
  BINDING,
  type BindingManifest,
  type Layout,
  LIBRARIES,
  type LibrariesManifest,
  layout,
  MANIFEST,
} from './layout.ts';
import { checkMachine, checkWheelTag, thisMachine } from './platform.ts';
import { defaultApplication, findTfjsNode, shortName, type TfjsNodeName, type TfjsNodePackage } from './tfjs-node.ts';
import { Wheel } from './wheel.ts';
import { findWheel } from './wheel-index.ts';

/** The TensorFlow that this package has been tested with. */
export const TESTED_VERSION = '2.21.0';

/** What to set up; all of it optional. */
export interface SetupOptions {
  /** Set up `@tensorflow/tfjs-node-gpu` on the distribution `tensorflow` (CUDA 12). Default false. */
  readonly gpu?: boolean;
  /** A wheel on this disk. Default: it is downloaded. */
  readonly wheel?: string;
  /** Root of the installation. Default: the variable `RCNN_TENSORFLOW_DIR`, else the user's cache. */
  readonly dir?: string;
  /** A folder of the application, from which tfjs-node is visible. Default: `RCNN_TFJS_NODE_APP`, else the program's. */
  readonly from?: string;
  /** TensorFlow's version to download. Default {@link TESTED_VERSION}. */
  readonly version?: string;
  /** Told about every step, and about bytes where there are many. */
  readonly onProgress?: (step: SetupStep, done?: number, total?: number) => void;
}

/** The steps, in order. */
export type SetupStep = 'download' | 'unpack' | 'compile' | 'check' | 'done';

/** What {@link setupTensorFlow} has done. */
export interface SetupResult extends Installation {
  /** False when everything was there already. */
  readonly changed: boolean;
  readonly package: TfjsNodeName;
  readonly gpu: boolean;
}

/** The parts that tests replace: they need no network, no compiler and no TensorFlow. */
export interface SetupParts {
  readonly checkMachine: () => void;
  readonly checkLoads: typeof checkLoads;
}

interface Job extends SetupParts {
  readonly layout: Layout;
  readonly tfjsNode: TfjsNodePackage;
  readonly options: SetupOptions;
  report(step: SetupStep, done?: number, total?: number): void;
}

/**
 * Makes an installed `@tensorflow/tfjs-node` or `-gpu` work with a current TensorFlow: takes the libraries and headers
 * out of TensorFlow's Python wheel, compiles the package's own binding against them, and checks that it loads. Running
 * it twice changes nothing; killed at any moment, it leaves what worked before or nothing that counts.
 *
 * @throws RcnnError SETUP_FAILED (platform, compiler, package or wheel that will not do), OFFLINE, DOWNLOAD_FAILED,
 *   DIGEST_MISMATCH, FILE_MISSING, FILE_MALFORMED, DISK_FULL, IO_FAILED
 */
export async function setupTensorFlow(
  options: SetupOptions = {},
  parts: Partial<SetupParts> = {},
): Promise<SetupResult> {
  const job: Job = {
    checkMachine: () => checkMachine(thisMachine()),
    checkLoads,
    ...parts,
    layout: layout(options.dir),
    tfjsNode: installedPackage(options),
    options,
    report: options.onProgress ?? (() => undefined),
  };
  job.checkMachine();
  try {
    return (await reuse(job)) ?? (await install(job));
  } catch (error) {
    throw fileFailure(error, job.layout.root);
  }
}

/** Everything is there already and loads: nothing to do. */
async function reuse(job: Job): Promise<SetupResult | undefined> {
  const installation = findInstallation(job.layout, job.tfjsNode);
  if (installation === undefined || !fits(job.options, installation)) return undefined;
  // Of an earlier version of this package, or of other sources: libraries stay, the binding is compiled anew.
  const key = await bindingKey(job.tfjsNode, basename(installation.libraries));
  if (basename(dirname(installation.binding)) !== key) return undefined;
  job.report('check');
  try {
    const { gpu } = await job.checkLoads(job.tfjsNode, installation.binding);
    job.report('done');
    return { ...installation, changed: false, package: job.tfjsNode.name, gpu };
  } catch (error) {
    if (await isIntact(installation)) throw error; // setting the same bytes up again would not help
    return undefined;
  }
}

async function install(job: Job): Promise<SetupResult> {
  const compiler = findCompiler(); // before the long download
  for (const folder of [job.layout.libraries, job.layout.bindings, job.layout.active]) await sweep(folder);
  const libraries = await provideLibraries(job);
  const { binding, gpu } = await provideBinding(job, compiler, libraries);
  const active: ActiveManifest = { format: 1, binding };
  await installFile(join(job.layout.active, `${shortName(job.tfjsNode.name)}.json`), `${JSON.stringify(active)}\n`);
  job.report('done');
  const installation = findInstallation(job.layout, job.tfjsNode);
  if (installation === undefined) {
    throw failure('SETUP_FAILED', {
      place: job.layout.root,
      problem: 'the installation is gone again',
      hint: 'Is another program cleaning this folder? Run it again.',
    });
  }
  return { ...installation, changed: true, package: job.tfjsNode.name, gpu };
}

/** Gives the name of a complete folder of libraries, unpacking a wheel if need be. */
async function provideLibraries(job: Job): Promise<string> {
  const { wheel, version = TESTED_VERSION } = job.options;
  if (wheel !== undefined) return unpack(job, wheel);
  const distribution = distributionOf(job.options);
  const name = `${distribution}-${version}`;
  if (await areSound(join(job.layout.libraries, name))) return name;
  const link = await findWheel(distribution, version);
  let unpacked = '';
  // The wheel lies in a staging folder too: whatever happens, it goes.
  await withScratchFolder(job.layout.libraries, async (scratch) => {
    const path = join(scratch, basename(link.filename));
    job.report('download');
    await downloadWheel(link, path, (done, total) => job.report('download', done, total));
    unpacked = await unpack(job, path);
  });
  return unpacked;
}

async function unpack(job: Job, path: string): Promise<string> {
  const wheel = await Wheel.open(path);
  try {
    checkWheel(job, wheel, path);
    const name = `${wheel.distribution}-${wheel.version}`;
    const target = join(job.layout.libraries, name);
    if (await areSound(target)) return name;
    await checkSpace(job.layout.libraries, wheel);
    job.report('unpack');
    await installFolder(target, (staging) => fillLibraries(job, wheel, staging));
    return name;
  } finally {
    await wheel.close();
  }
}

async function fillLibraries(job: Job, wheel: Wheel, staging: string): Promise<void> {
  const sources = await readSources(job.tfjsNode);
  for (const header of await reachedHeaders(wheel, sources)) {
    await wheel.extract(`tensorflow/include/${header}`, join(staging, 'include', header));
  }
  const files: Record<string, { size: number; sha256: string }> = {};
  const total = LIBRARIES.reduce((sum, library) => sum + wheel.sizeOf(`tensorflow/${library}`), 0);
  let before = 0;
  for (const library of LIBRARIES) {
    const onProgress = (done: number) => job.report('unpack', before + done, total);
    files[library] = await wheel.extract(`tensorflow/${library}`, join(staging, library), onProgress);
    before += files[library].size;
  }
  const { distribution, version } = wheel;
  const manifest: LibrariesManifest = { format: 1, distribution, version, files };
  await writeSynced(join(staging, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Gives the key of a complete, working binding, compiling it if need be. */
async function provideBinding(
  job: Job,
  compiler: string,
  libraries: string,
): Promise<{ binding: string; gpu: boolean }> {
  const { tfjsNode } = job;
  const sources = join(tfjsNode.folder, 'binding');
  const compilation = {
    compiler,
    sources,
    libraries: join(job.layout.libraries, libraries),
    rpath: `../../libraries/${libraries}`,
  };
  const binding = await bindingKey(tfjsNode, libraries);
  const target = join(job.layout.bindings, binding);
  const made = readBinding(target);
  if (made !== undefined && (await recordOf(join(target, BINDING))).sha256 === made.file.sha256) {
    job.report('check');
    return { binding, ...(await job.checkLoads(tfjsNode, join(target, BINDING))) };
  }
  let gpu = false;
  await installFolder(target, async (staging) => {
    const output = join(staging, BINDING); // as deep as its final place, so the rpath holds here too
    job.report('compile');
    await compileBinding({ ...compilation, output });
    job.report('check');
    ({ gpu } = await job.checkLoads(tfjsNode, output));
    const file = await recordOf(output);
    const manifest: BindingManifest = {
      format: 1,
      libraries,
      package: tfjsNode.name,
      packageVersion: tfjsNode.version,
      file,
    };
    await writeSynced(join(staging, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  });
  return { binding, gpu };
}

/** The same sources, libraries and compiler flags give the same key. */
async function bindingKey(tfjsNode: TfjsNodePackage, libraries: string): Promise<string> {
  const hash = createHash('sha256').update(libraries).update(FLAGS.join(' '));
  for (const source of [...(await readSources(tfjsNode)), await readFile(COLLECTIVES, 'utf8')]) hash.update(source);
  return `${shortName(tfjsNode.name)}-${tfjsNode.version}-${libraries}-${hash.digest('hex').slice(0, 12)}`;
}

async function readSources({ folder, name, version }: TfjsNodePackage): Promise<string[]> {
  const headers = [
    'napi_auto_ref.h',
    'tf_auto_status.h',
    'tf_auto_tensor.h',
    'tfe_auto_op.h',
    'tfjs_backend.h',
    'utils.h',
  ];
  try {
    return await Promise.all([...SOURCES, ...headers].map((file) => readFile(join(folder, 'binding', file), 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw failure('SETUP_FAILED', {
      place: folder,
      problem: `${name} ${version} does not hold the sources of its binding`,
      expected: `${name} 4.x`,
      hint: `Install it again: npm install ${name}@4.22.0.`,
      cause,
    });
  }
}

function installedPackage({ gpu = false, from = defaultApplication() }: SetupOptions): TfjsNodePackage {
  const name: TfjsNodeName = gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
  const found = findTfjsNode(name, from);
  if (found !== undefined) return found;
  throw failure('SETUP_FAILED', {
    place: from,
    problem: `${name} is not installed here`,
    hint: `Install it first: npm install --ignore-scripts ${name}@4.22.0 (pnpm and Yarn: answer no to its build script).`,
  });
}

function distributionOf({ gpu = false }: SetupOptions): string {
  return gpu ? 'tensorflow' : 'tensorflow-cpu';
}

/** Whether an installation is what these options would make. */
function fits({ wheel, version = TESTED_VERSION }: SetupOptions, installation: Installation): boolean {
  if (wheel === undefined) return installation.version === version;
  return basename(wheel).startsWith(`${installation.distribution.replaceAll('-', '_')}-${installation.version}-`);
}

function checkWheel(job: Job, wheel: Wheel, path: string): void {
  const missing = LIBRARIES.filter((library) => !wheel.has(`tensorflow/${library}`));
  if (missing.length > 0) {
    throw failure('SETUP_FAILED', {
      place: path,
      problem: `the wheel has no ${missing.join(' and no ')}`,
      found: `${wheel.distribution} ${wheel.version} for ${wheel.platformTag || 'no platform'}`,
      expected: `a wheel of ${distributionOf(job.options)} for Linux, 2.14 or newer`,
      hint: `Get one: pip download --no-deps --only-binary :all: ${distributionOf(job.options)}==${TESTED_VERSION}.`,
    });
  }
  checkWheelTag(wheel.platformTag, thisMachine());
}

/** What the disk must hold while unpacking, checked before it takes minutes. */
async function checkSpace(folder: string, wheel: Wheel): Promise<void> {
  await mkdir(folder, { recursive: true });
  const needed = LIBRARIES.reduce((sum, library) => sum + wheel.sizeOf(`tensorflow/${library}`), 64 * 2 ** 20);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  throw failure('DISK_FULL', {
    place: folder,
    problem: 'there is not enough room on the disk',
    found: megabytes(bavail * bsize),
    expected: megabytes(needed),
    hint: 'Free some space, or choose another disk with --dir.',
  });
}

/** Whether the libraries in a folder are complete and, byte for byte, what was installed. */
async function areSound(folder: string): Promise<boolean> {
  const files = Object.entries(readLibraries(folder)?.files ?? {});
  for (const [name, { sha256 }] of files) {
    if ((await recordOf(join(folder, name))).sha256 !== sha256) return false;
  }
  return files.length > 0;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
