import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Random } from '@rcnn/core/random';
import { changedArgs, PLANS, type Plan } from './plans.ts';
import { run } from './run.ts';
import { spoil } from './spoil.ts';

export interface Attempt {
  readonly number: number;
  readonly args: readonly string[];
  readonly spoiled: readonly string[];
  readonly code: number;
  readonly faults: readonly string[];
  readonly text: string;
  /** Microseconds of the processor. */
  readonly work: number;
}

/** What a terminal would act on, but for the ends of lines. */
const RAW = /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Seconds after which a call on files of a few kilobytes does not end any more. */
const PATIENCE = 120;

/** Memory that a call on such files may take. */
const ROOM = 512 * 2 ** 20;

const CANARY: Readonly<Record<string, string>> = { 'secret.png': 'secret', 'train.json': '{}', '.bashrc': 'mine' };

/** {@link listing} of the canaries as they were put there. */
const UNTOUCHED = Object.entries(CANARY)
  .map(([name, text]) => `${name} ${Buffer.from(text).toString('base64')}`)
  .sort()
  .join('\n');

/**
 * One hostile call in a folder of its own: `in` is a spoiled scene, beside the folder lies what nobody may touch.
 * @param scenes the folder that `makeScenes` filled
 */
export async function attempt(scenes: string, number: number, seed: number): Promise<Attempt> {
  const random = new Random(seed).fork('command', number);
  const plan = random.pick(PLANS);
  const place = join(scenes, 'attempt');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(join(place, 'canary'), { recursive: true });
  for (const [name, text] of Object.entries(CANARY)) writeFileSync(join(place, 'canary', name), text);
  const here = join(place, 'here');
  mkdirSync(here);
  cpSync(join(scenes, plan.scene), join(here, 'in'), { recursive: true });
  if (plan.args.includes('in/dt.json') && !existsSync(join(here, 'in/dt.json')))
    cpSync(join(scenes, 'results/dt.json'), join(here, 'in/dt.json'));
  process.chdir(here);
  const ofArgs = random.chance(0.15);
  const spoiled = ofArgs ? ['the call'] : spoil('in', random);
  const args = ofArgs ? changedArgs(plan.args, random) : plan.args;
  const before = listing(join(here, 'in'));
  const memory = process.memoryUsage.rss();
  const peak = process.resourceUsage().maxRSS;
  const begin = process.cpuUsage();
  const ended = await Promise.race([run(args), giveUp()]);
  const { user, system } = process.cpuUsage(begin);
  const rise = process.resourceUsage().maxRSS > peak ? process.resourceUsage().maxRSS * 1024 - memory : 0;
  const { code, text } = ended ?? { code: -1, text: '' };
  const faults = [
    ended === undefined && `no end in ${PATIENCE} s`,
    rise > ROOM && `took ${Math.round(rise / 2 ** 20)} MiB`,
    ...faultsOf(code, text),
    plan.writesIn !== true && listing(join(here, 'in')) !== before && 'the input was changed',
    listing(join(place, 'canary')) !== UNTOUCHED && 'written outside',
    ...strangers(here, plan),
  ].filter((fault) => fault !== false);
  process.chdir(scenes);
  return { number, args, spoiled, code, faults, text, work: user + system };
}

function giveUp(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, PATIENCE * 1000, undefined).unref());
}

/** Code and text must fit: an error says once what, where, and nothing that acts on a terminal. */
function faultsOf(code: number, text: string): readonly string[] {
  const errors = text.match(/^error\b.*$/gm) ?? [];
  // The doctor's findings have codes of their own.
  const typed = errors.filter((line) => /^error [A-Z_]+: .|^error [a-z]+(?:-[a-z]+)*: ./.test(line));
  const raw = RAW.exec(text);
  return [
    /not an error we expected/.test(text) && 'untyped error',
    raw !== null && `raw character ${JSON.stringify(raw[0])}`,
    errors.some((line) => line.startsWith('error FAKE')) && 'forged line',
    code !== 0 && code !== 1 && code !== 2 && `exit code ${code}`,
    code === 2 && typed.length !== 1 && `${typed.length} errors of a wrong call`,
    typed.length !== errors.length && 'an error without a code',
    text.length > 200_000 && `${text.length} characters`,
    code === 1 && text.trim() === '' && 'failed without a word',
  ].filter((fault) => fault !== false);
}

/** What lies beside `in` that the call was not asked to make. */
function strangers(here: string, { makes }: Plan): readonly string[] {
  return [here, join(here, '..')].flatMap((folder, i) =>
    readdirSync(folder)
      .filter((name) => !(i === 0 ? ['in', ...makes] : ['here', 'canary']).includes(name))
      .map((name) => `left ${JSON.stringify(name)} behind`),
  );
}

function listing(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const file = join(folder, name);
      const stats = lstatSync(file);
      if (stats.isSymbolicLink()) return `${name} -> ${readlinkSync(file)}`;
      return stats.isFile() ? `${name} ${readFileSync(file).toString('base64')}` : name;
    })
    .join('\n');
}
