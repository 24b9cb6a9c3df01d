import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findInstallation } from '../src/installation.ts';
import { layout } from '../src/layout.ts';
import { findTfjsNode } from '../src/tfjs-node.ts';
import { inOwnNetwork, noOwnNetwork } from './helpers/own-network.ts';

// Real processes on a real TensorFlow, each test in a network of its own: the port of TensorFlow knows no password.
const SCRIPT = fileURLToPath(new URL('helpers/rank.mjs', import.meta.url));
const DIST = new URL('../dist/index.js', import.meta.url).href;
const missing = unavailable();

function unavailable(): string | undefined {
  const tfjsNode = findTfjsNode('@tensorflow/tfjs-node');
  if (tfjsNode === undefined || findInstallation(layout(), tfjsNode) === undefined) return 'TensorFlow is not set up';
  return noOwnNetwork();
}

/** What one rank saw. */
type Seen = { readonly rank: number; readonly code?: string; readonly message?: string } & Record<string, unknown>;

interface Staging {
  readonly size?: number;
  readonly timeout?: number;
  /** A shell command around the processes; `$run` is that of one rank. */
  readonly script?: string;
}

async function play(scene: string, { size = 2, timeout = 100, script = ALL }: Staging = {}): Promise<Seen[]> {
  const output = await inOwnNetwork(script, {
    run: `"${process.execPath}" "${SCRIPT}" "${DIST}" ${scene}`,
    SIZE: String(size),
    PORT: '29500',
    TIMEOUT: String(timeout),
  });
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Seen).toSorted((a, b) => a.rank - b.rank);
}

const ALL = 'n=0; while [ $n -lt $SIZE ]; do RANK=$n sh -c "$run" & n=$((n+1)); done; wait';

describe.skipIf(missing !== undefined)('collectives', { meta: { whySkipped: missing } }, () => {
  test.each([2, 3])('%i ranks get the same means and the tensors of the last one, and gain no tensor', async (size) => {
    const middle = (size - 1) / 2;
    const mean = [
      [middle, 6],
      [middle, 1],
    ];
    const seen = [
      mean,
      [
        [size - 1, 6],
        [size - 1, 1],
      ],
      mean,
    ];
    const ranks = Array.from({ length: size }, (_, rank) => ({ rank, seen, gained: 0 }));
    expect(await play('meet', { size })).toEqual(ranks);
  });

  test('the event loop goes on while a rank waits', async () => {
    const [first] = await play('tick');
    expect(first!['ticks']).toBeGreaterThan(0);
  });

  test('a rank that dies is named', async () => {
    const [first, ...others] = await play('killed');
    expect(first).toMatchObject({ code: 'PEER_LOST', message: expect.stringContaining('rank 1 is gone') });
    expect(others).toEqual([]);
  });

  test('a rank that dies while another one stands still for it is named by the next meeting', async () => {
    const [first] = await play('killedInStep');
    expect(first!['told']).toEqual([
      'PEER_LOST',
      expect.any(String),
      'PEER_LOST',
      expect.stringContaining('rank 1 is gone'),
    ]);
  });

  test('a rank that hangs is named when the time is over', async () => {
    const [first] = await play('hangs', { timeout: 2 });
    expect(first).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('rank 1 did not come') });
  });

  test('a rank that is started again joins the one that stayed', async () => {
    const script = 'RANK=0 sh -c "$run" & (RANK=1 sh -c "$run"; RANK=1 AGAIN=1 sh -c "$run") & wait';
    const [first, second] = await play('comesBack', { script });
    expect(first).toMatchObject({ lost: 'PEER_LOST', mean: [0.5] });
    expect(second).toMatchObject({ mean: [0.5] });
  });

  test('a port that is taken is named', async () => {
    const listen = "require('net').createServer().listen(29501, '0.0.0.0')";
    const script = `"${process.execPath}" -e "${listen}" & server=$!; sleep 1; RANK=1 sh -c "$run"; kill $server`;
    const [only] = await play('meet', { script });
    expect(only).toMatchObject({ rank: 1, code: 'IO_FAILED', message: expect.stringContaining('127.0.0.1:29501') });
  });
});
