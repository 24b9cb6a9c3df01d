/**
 * Runs a setup whose file system fails at the k-th call: `node crash-child.mjs <JSON>`. `kill` ends the process there as
 * `kill -9` would, writes in the middle; an error code is thrown there as a full disk would throw it. Prints how many
 * calls there were, and how the setup ended.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { at, failure, dir, from, wheel, expected, entry } = JSON.parse(process.argv[2]);
const { setupTensorFlow } = await import(entry); // before the calls are counted: importing reads files, too
let calls = 0;

/** Counts a call; at the chosen one does `half` of it and ends. */
async function strike(half) {
  if (++calls !== at) return;
  await half?.();
  if (failure === 'kill') process.kill(process.pid, 'SIGKILL');
  throw Object.assign(new Error(`${failure}: made up`), { code: failure });
}

function wrap(owner, names, halfOf = () => undefined) {
  for (const name of names) {
    const original = owner[name];
    owner[name] = async function (...args) {
      await strike(halfOf(this, original, args));
      return original.apply(this, args);
    };
  }
}

const probe = await fs.promises.open(process.execPath, 'r');
const handle = Object.getPrototypeOf(probe);
await probe.close();
wrap(fs.promises, ['open', 'mkdir', 'rename', 'rm', 'readdir', 'readFile', 'statfs', 'stat']);
wrap(handle, ['sync', 'writeFile']);
wrap(handle, ['write'], (self, write, [chunk, start = 0]) => {
  return () => write.call(self, chunk, start, Math.floor((chunk.length - start) / 2));
});
syncBuiltinESMExports();

const parts = {
  checkMachine: () => undefined,
  checkLoads: async (_tfjsNode, binding) => {
    await strike();
    if (fs.readFileSync(binding, 'utf8') !== expected) throw new Error('the binding is not what was compiled');
    return { gpu: false };
  },
};
try {
  await setupTensorFlow({ dir, from, wheel }, parts);
  process.stdout.write(JSON.stringify({ calls }));
} catch (error) {
  process.stdout.write(JSON.stringify({ calls, code: error.code, name: error.name, message: error.message }));
}
