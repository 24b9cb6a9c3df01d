import type { DownloadEvent } from './download.ts';

export interface DownloadReporterOptions {
  /** Seconds between two lines about how far it is. Default 5. */
  readonly every?: number;
}

/**
 * What a person should know of a download, a line at a time: what comes, from where and how large it is, now and then how
 * far it is, and why it is tried again. A connection brings thousands of pieces, and a line for each would bury the rest.
 */
export function downloadReporter(
  say: (line: string) => void,
  { every = 5 }: DownloadReporterOptions = {},
): (event: DownloadEvent) => void {
  let next = 0; // milliseconds, as performance.now() counts them
  const wait = (): void => {
    next = performance.now() + every * 1000;
  };
  return (event) => {
    if (event.kind === 'begin') {
      const { url, path, from, size } = event;
      const there = from > 0 ? `, of which ${megabytes(from)} are here` : '';
      say(`downloading ${url}${size === undefined ? '' : ` (${megabytes(size)}${there})`} to ${path}`);
      wait();
    } else if (event.kind === 'progress') {
      const { received, size } = event;
      if (performance.now() < next || received === size) return;
      say(`downloaded ${megabytes(received)}${size === undefined ? '' : ` of ${megabytes(size)}`}`);
      wait();
    } else if (event.kind === 'retry') say(`${event.reason}; trying again`);
    else if (event.kind === 'warning') say(`warning: ${event.path}: ${event.message}`);
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
