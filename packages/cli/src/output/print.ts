import { printable, shortened } from '@rcnn/core/errors';

/**
 * All printing of the program goes through this file (a test holds it), so nothing from a file can act on a terminal or
 * pass for a line of ours: each argument is one line, and what it must not hold is written as an escape.
 */

/** Longest line of what happens meanwhile, in UTF-16 units; results are whole. */
const LONGEST = 4000;

/** Results: lines on stdout. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(joined(lines));
}

/** What happens meanwhile: lines on stderr, each with its middle left out where a name in it is of megabytes. */
export function note(...lines: readonly string[]): void {
  process.stderr.write(joined(lines.map((line) => shortened(line, LONGEST))));
}

/** A result for programs: JSON on stdout, over several lines unless `compact`. */
export function printJson(value: unknown, { compact = false }: { readonly compact?: boolean } = {}): void {
  process.stdout.write(`${jsonText(value, compact)}\n`);
}

/**
 * JSON that can be shown as it is: what a terminal would act on is escaped, which JSON allows in any string. Numbers
 * that JSON does not have (NaN, infinity) become text, for in a report of a failure they are what one looks for.
 */
export function jsonText(value: unknown, compact = false): string {
  const plain = (_: string, item: unknown): unknown =>
    typeof item === 'bigint' || (typeof item === 'number' && !Number.isFinite(item)) ? String(item) : item;
  const text = JSON.stringify(value, plain, compact ? undefined : 2) ?? 'null';
  return text.replace(/[\p{Bidi_Control}\u007f-\u009f\u2028\u2029\u200b\u2060\ufeff]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** A line on stderr that the next one replaces; elsewhere than on a terminal nothing. */
export function status(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${printable(line)}`);
}

/** Ends what {@link status} showed. */
export function endStatus(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

/**
 * An error: one group of lines that begins once with its code. Further lines are indented, so no text in them can look
 * like an error of its own.
 */
export function printError(head: string, message: string): void {
  const [first = '', ...others] = message.trimEnd().split('\n').map(printable);
  process.stderr.write(
    [`${printable(head)}: ${first}`, ...others.map((line) => `  ${line.trimStart()}`), ''].join('\n'),
  );
}

/** A stack, for `--debug`. */
export function printStack(stack: string): void {
  process.stderr.write(`${stack.split('\n').map(printable).join('\n')}\n`);
}

/** Our own text of several lines (help of commander), whose breaks and tabs stay. */
export function helpWriter(stream: NodeJS.WriteStream): (text: string) => void {
  return (text) => void stream.write(text.split('\n').map(printable).join('\n'));
}

let writesFiles = false;

/** Says that this call writes files: they are wanted also when nobody reads stdout any more. */
export function goOnWithoutReader(): void {
  writesFiles = true;
}

/**
 * A closed pipe (`mask-rcnn inspect … | head`) is no failure: whoever reads has seen enough. Where files are written too,
 * the work goes on to its end.
 */
export function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') {
      if (!writesFiles) process.exit();
      return;
    }
    printError('error IO_FAILED', `stdout: cannot be written; found ${error.code ?? error.message}.`);
    process.exit(1);
  });
  process.stderr.on('error', () => undefined); // work goes on though nobody listens
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}
