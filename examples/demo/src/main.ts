import { parseArgs } from 'node:util';
import { isRcnnError } from '@rcnn/core/errors';
import { demo } from './demo.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs' },
    epochs: { type: 'string' },
    engine: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});

try {
  const { data, out, epochs, engine, quiet } = values;
  process.exitCode = await demo({
    out,
    quiet,
    ...(data !== undefined && { data }),
    ...(epochs !== undefined && { epochs: Number(epochs) }),
    ...(engine !== undefined && { engine }),
  });
} catch (error) {
  if (!isRcnnError(error)) throw error;
  process.stderr.write(`error ${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
