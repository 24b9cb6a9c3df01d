import { type EngineName, type EngineReport, type EngineTask, nodeOrder } from '@rcnn/core';

const HEAD = ['engine', 'can', 'device', 'threads', 'forward', 'gradients', 'version'];

/** The doctor's table, with what is to be said about each engine below it. Speeds are in GFLOPS. */
export function engineTable(reports: readonly EngineReport[]): string {
  const rows = reports.map((report) => [
    report.name,
    report.ability,
    report.device ?? '',
    report.threads === undefined ? '' : String(report.threads),
    speed(report.speed?.forward),
    speed(report.speed?.gradients),
    report.version ?? '',
  ]);
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return [line(HEAD), ...rows.map(line), '', ...reports.flatMap(remarks)].join('\n');
}

/** The engine that `auto` takes, by the order of core. */
export function automatic(reports: readonly EngineReport[], task: EngineTask): EngineName | undefined {
  const fits = ({ ability, software }: EngineReport) =>
    software !== true && (ability === 'train' || (task === 'predict' && ability === 'predict'));
  return nodeOrder.find((name) => reports.some((report) => report.name === name && fits(report)));
}

function speed(gigaflops: number | undefined): string {
  if (gigaflops === undefined) return '';
  return gigaflops >= 10 ? String(Math.round(gigaflops)) : gigaflops.toPrecision(2);
}

function remarks({ name, why, hint, notes, software }: EngineReport): string[] {
  const said = [
    ...(why === undefined ? [] : [`${why}.${hint === undefined ? '' : ` ${hint}`}`]),
    ...notes.map((note) => `note: ${note}.`),
    ...(software === true ? ["note: no GPU behind it, so 'auto' passes it by."] : []),
  ];
  return said.map((text, i) => `${(i === 0 ? `${name}:` : '').padEnd(12)} ${text}`);
}
