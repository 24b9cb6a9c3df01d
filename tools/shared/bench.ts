/** What every benchmark has: options that are checked, and a first line that says where it ran. */
import { appendFileSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { type ParseArgsConfig, parseArgs } from 'node:util';

type Known = NonNullable<ParseArgsConfig['options']>;
type Values<Options extends Known> = ReturnType<typeof parseArgs<{ options: Options }>>['values'];

/**
 * The options of a benchmark, and the machine on the first line. A peer's program is always `--python PATH`. An option
 * that is not known or lacks its value ends the run with a sentence, and so does a word that belongs to no option.
 */
export function benchOptions<const Options extends Known>(options: Options): Values<Options> {
  const values = valuesOf(options);
  console.log(machine());
  return values;
}

function valuesOf<const Options extends Known>(options: Options): Values<Options> {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    const known = Object.entries(options).map(([name, { type }]) => (type === 'string' ? `--${name} …` : `--${name}`));
    console.error(`${message.split('. ')[0]!.replaceAll('\n', ' ')}. Options of this benchmark: ${known.join(', ')}.`);
    return process.exit(2);
  }
}

/** One side of a comparison, in words as a reader wants them, and as a number for programs. */
export interface Seen {
  readonly who: string;
  /** `1.9 s, 1.34 GiB` */
  readonly says: string;
  readonly value: number;
  readonly unit: 's' | 'ms' | 'per s' | 'GFLOPS';
}

/** A line of the table in the README. */
export interface Figure {
  readonly work: string;
  readonly ours: Omit<Seen, 'who'>;
  readonly peers: readonly Seen[];
}

/** Hands a line to `npm run bench -- all`, which collects them; a benchmark that runs alone has none to hand it to. */
export function figure(line: Figure): void {
  const file = process.env['RCNN_BENCH_FIGURES'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** Processor, cores, instructions, Node and how busy the machine is. */
export function machine(): string {
  const busy = loadavg()[0]!.toFixed(2);
  return `${processorName()}, ${cpus().length} cores, ${instructionSet()}, Node ${process.version}, load ${busy} (quiet is below 0.5)`;
}

/** Processor, clock and instructions in short, for a row of a table: `Intel Xeon, 2.3 GHz, avx512f`. */
export function processor(): string {
  const { model, speed } = cpus()[0] ?? { model: '', speed: 0 };
  const name = processorName();
  const clock = speed || Number(/^cpu MHz\s*:(.*)$/m.exec(cpuInfo())?.[1] ?? 0);
  return [name, ...(clock > 0 && !model.includes('GHz') ? [`${(clock / 1000).toFixed(1)} GHz`] : []), instructionSet()].join(', '); // biome-ignore format: one line
}

/** Its generation stands behind a name that hides it, as rented machines have: `AMD EPYC (Zen 5)`. */
function processorName(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const name = model.replaceAll(/\((?:R|TM)\)| Processor$/g, '').trim();
  const generation = /\d/.test(name) ? undefined : generationOf(cpuInfo());
  return generation === undefined ? name : `${name} (${generation})`;
}

/** By vendor and family, and models from `from` on, of those that servers have. */
const GENERATIONS = [
  { vendor: 'AuthenticAMD', family: 23, from: 0, name: 'Zen' },
  { vendor: 'AuthenticAMD', family: 23, from: 48, name: 'Zen 2' },
  { vendor: 'AuthenticAMD', family: 25, from: 0, name: 'Zen 3' },
  { vendor: 'AuthenticAMD', family: 25, from: 16, name: 'Zen 4' },
  { vendor: 'AuthenticAMD', family: 26, from: 0, name: 'Zen 5' },
  { vendor: 'GenuineIntel', family: 6, from: 85, name: 'Skylake or Cascade Lake' },
  { vendor: 'GenuineIntel', family: 6, from: 106, name: 'Ice Lake' },
  { vendor: 'GenuineIntel', family: 6, from: 143, name: 'Sapphire Rapids' },
  { vendor: 'GenuineIntel', family: 6, from: 207, name: 'Emerald Rapids' },
] as const;

/** What `/proc/cpuinfo` says of a processor's generation, as far as it is one that is known here. */
export function generationOf(info: string): string | undefined {
  const [vendor, family, model] = ['vendor_id', 'cpu family', 'model'].map(
    (field) => new RegExp(`^${field}\\s*:\\s*(\\S+)$`, 'm').exec(info)?.[1],
  );
  return GENERATIONS.findLast(
    (known) => known.vendor === vendor && known.family === Number(family) && known.from <= Number(model),
  )?.name;
}

/** What Linux says of the processors; elsewhere nothing. */
function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

/** The widest vector instructions of this processor that engines use, as Linux names them; elsewhere its architecture. */
export function instructionSet(): string {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo())?.[1]?.split(' ') ?? [];
  const wide = ['amx_tile', 'avx512f', 'avx2', 'avx', 'sve', 'asimd'];
  return wide.find((name) => flags.includes(name)) ?? process.arch;
}
