/** A spelling of earlier versions, and what is written today. */
interface OldSpelling {
  readonly commands: readonly string[];
  readonly option: string;
  /** What stands in its place; `$` is the value. */
  readonly now: readonly string[];
  /** Whether a value follows. */
  readonly valued: boolean;
  /** Only with such a value: without one, the option means what it means everywhere. */
  readonly value?: RegExp;
}

const JSON_FILE = /^-$|\.json$/i;

/** Every option has one meaning in all commands; these had another one, or another name. */
const OLD: readonly OldSpelling[] = [
  { commands: ['predict'], option: '--json', now: ['--results', '$'], valued: true, value: JSON_FILE },
  { commands: ['evaluate'], option: '--json', now: ['--numbers', '$'], valued: true, value: JSON_FILE },
  { commands: ['val'], option: '--out', now: ['--results', '$'], valued: true },
  { commands: ['preview'], option: '--n', now: ['--limit', '$'], valued: true },
  { commands: ['preview'], option: '--preset', now: ['--augment', '$'], valued: true },
  { commands: ['predict'], option: '--rpn-post-nms-top-n', now: ['--proposals', '$'], valued: true },
  { commands: ['convert'], option: '--ema', now: ['--moving-average'], valued: false },
  { commands: ['convert-data'], option: '--drop', now: ['--bad-samples', 'skip'], valued: false },
];

/**
 * The arguments in today's words.
 * @param told hears, once for each, what to write instead
 */
export function inTodaysWords(args: readonly string[], told: (text: string) => void): string[] {
  const command = args.find((arg) => !arg.startsWith('-'));
  const words: string[] = [];
  const known = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const [option, inline] = split(args[i]!);
    const value = inline ?? args[i + 1];
    const old = OLD.find((entry) => entry.option === option && entry.commands.includes(command ?? ''));
    const fits = old !== undefined && (!old.valued || (value !== undefined && (old.value?.test(value) ?? true)));
    if (!fits) {
      words.push(args[i]!);
      continue;
    }
    words.push(...old.now.map((word) => (word === '$' ? value! : word)));
    if (old.valued && inline === undefined) i++;
    if (!known.has(option)) told(`${command} ${option} is written ${old.now.join(' ').replace('$', '…')} now.`);
    known.add(option);
  }
  return words;
}

/** `--n=4` as name and value. */
function split(arg: string): [string, string | undefined] {
  const at = arg.startsWith('--') ? arg.indexOf('=') : -1;
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}
