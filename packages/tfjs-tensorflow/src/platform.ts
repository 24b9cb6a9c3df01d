import { failure } from './failures.ts';

/** The facts about this machine that decide whether TensorFlow's wheels run on it. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Version of the C library, `undefined` where it is not glibc (Alpine). */
  readonly glibc: string | undefined;
}

export function thisMachine(): Machine {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: report.header?.glibcVersionRuntime };
}

/**
 * Checks that TensorFlow publishes libraries for this machine. Its wheels for Windows and macOS hold no C library in
 * this form, and there are none for Linux on ARM.
 * @throws RcnnError SETUP_FAILED
 */
export function checkMachine({ platform, arch, glibc }: Machine): void {
  if (platform === 'linux' && arch === 'x64' && glibc !== undefined) return;
  throw failure('SETUP_FAILED', {
    problem: 'TensorFlow publishes no library for this platform',
    found: `${platform} ${arch}${platform === 'linux' && glibc === undefined ? ' without glibc' : ''}`,
    expected: 'linux x64 with glibc',
    hint: 'The onnxruntime engine needs no setup and runs here: ask for no other engine, or set RCNN_ENGINE=onnxruntime.',
  });
}

/**
 * Checks that a wheel made for `tag` (`manylinux_2_27_x86_64`, or several joined by dots) runs on this machine.
 * @throws RcnnError SETUP_FAILED
 */
export function checkWheelTag(tag: string, machine: Machine): void {
  const needed = glibcOf(tag);
  if (needed !== undefined && !isOlder(machine.glibc ?? '0.0', needed)) return;
  throw failure('SETUP_FAILED', {
    place: tag,
    problem: 'the wheel is for another platform',
    found: tag,
    expected: `manylinux, x86_64, glibc ${machine.glibc ?? 'any'} or older`,
    hint: 'Take the wheel that pip would take on this machine: pip download --no-deps tensorflow-cpu.',
  });
}

/** The glibc that a platform tag asks for, the lowest of several; `undefined` for tags of other platforms. */
export function glibcOf(tag: string): string | undefined {
  const versions = tag.split('.').flatMap((part) => {
    const modern = /^manylinux_(\d+)_(\d+)_x86_64$/.exec(part);
    if (modern !== null) return [`${modern[1]}.${modern[2]}`];
    return part === 'manylinux2014_x86_64' ? ['2.17'] : part === 'manylinux2010_x86_64' ? ['2.12'] : [];
  });
  return versions.toSorted((a, b) => (isOlder(a, b) ? -1 : 1))[0];
}

function isOlder(a: string, b: string): boolean {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor < bMajor || (aMajor === bMajor && aMinor < bMinor);
}
