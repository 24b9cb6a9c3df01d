import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { consoleProgress, type TrainEvent } from '../src/index.ts';

const HOSTILE = 'x\n\u001b]0;pwned\u0007error FAKE: y\u009b\u202e';

/** Text that comes from a model, a dataset or a file. */
const events = [
  { kind: 'note', text: HOSTILE },
  { kind: 'warning', text: HOSTILE },
  {
    kind: 'step',
    step: 1,
    totalSteps: 1,
    epoch: 0,
    loss: 1,
    losses: { [HOSTILE]: 1 },
    learningRate: 1,
    stepTime: 1,
    dataTime: 1,
    eta: 1,
    memory: 1,
    tensors: 1,
  },
] as unknown as readonly TrainEvent[];

test.each(['plain', 'bar'] as const)('what a training shows is clean: %s', (style) => {
  const stream = Object.assign(new PassThrough(), { isTTY: style === 'bar', columns: 300 });
  const listen = consoleProgress({ style, every: 0, stream: stream as unknown as NodeJS.WriteStream });
  for (const event of events) listen(event);
  const text = String(stream.read());
  expect(text.match(/pwned/g)).toHaveLength(events.length);
  // The bar moves the cursor by sequences of its own; nothing of ours may begin one.
  for (const raw of ['\u001b]', '\u0007', '\u009b', '\u202e', '\nerror FAKE']) expect(text).not.toContain(raw);
});
