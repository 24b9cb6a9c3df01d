/**
 * Inside a network of its own, the processes of a team: `team.ts SIZE together|apart MODE BATCH STEPS`. A line of input
 * goes to all.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../src/ranks/processes.ts';

const [size = '1', how, ...words] = process.argv.slice(2);
const hosts = (await freePorts(Number(size))).map((port) => `127.0.0.1:${port}`);
const script = fileURLToPath(new URL('rank.ts', import.meta.url));
const ranks = Array.from({ length: Number(size) }, (_, rank) =>
  spawn(
    process.execPath,
    ['--import', 'tsx', script, ...(how === 'apart' ? ['0', hosts[rank]!] : [String(rank), hosts.join()]), ...words],
    {
      stdio: ['pipe', 'inherit', 'inherit'],
    },
  ),
);
for (const rank of ranks) {
  rank.once('exit', (code) => {
    if (code !== 0) process.exit(code ?? 1);
  });
}
createInterface({ input: process.stdin })
  .on('line', (line) => ranks.forEach((rank) => rank.stdin.write(`${line}\n`)))
  .on('close', () => ranks.forEach((rank) => rank.stdin.end()));
