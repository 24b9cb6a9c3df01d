import { parseArgs } from 'node:util';
import { isRcnnError } from '@rcnn/core/errors';
import { answerTo } from './answers.ts';
import { fileOf } from './campaign.ts';
import { targets } from './targets/index.ts';

// What our parsers make of damaged files, one JSON line for each, for tools/reference/differential.py to compare with the
// programs that the formats come from: node --import tsx src/differential.ts --only rle --runs 2000 > answers.jsonl

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: 'rle,safetensors,options' },
  },
});

for (const name of values.only.split(',')) {
  const target = targets.find((one) => one.name === name)!;
  for (let run = 0; run < Number(values.runs); run++) {
    const bytes = fileOf(target, Number(values.seed), run);
    console.log(
      JSON.stringify({ name, run, file: Buffer.from(bytes).toString('base64'), ...(await answerOf(name, bytes)) }),
    );
  }
}

async function answerOf(
  name: string,
  bytes: Uint8Array,
): Promise<{ readonly ours?: unknown; readonly refused?: string }> {
  try {
    const ours = await answerTo(name, bytes);
    return ours === undefined ? { refused: 'fault' } : { ours };
  } catch (error) {
    if (name === 'options') return { refused: 'aliases' }; // the library's own word for them
    if (isRcnnError(error)) return { refused: error.message };
    throw error;
  }
}
