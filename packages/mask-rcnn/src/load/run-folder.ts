import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { publishedWeights } from '@rcnn/checkpoint';
import { quoteName, RcnnError } from '@rcnn/core/errors';

/** In the order of preference: what is best, else what came last. */
const CHECKPOINTS = ['checkpoints/best.safetensors', 'checkpoints/last.safetensors'];

/** The checkpoint of a run folder: its best, else its last; undefined when it has none. */
export function checkpointOf(folder: string): string | undefined {
  return CHECKPOINTS.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * The checkpoint that a name means: of a run folder its best one; files, published names and addresses as they are.
 * @throws FILE_MISSING for a folder without a checkpoint
 */
export function weightsFile(what: string): string {
  if (publishedWeights(what) !== undefined) return what;
  if (!isFolder(what)) return what;
  const file = checkpointOf(what);
  if (file !== undefined) return file;
  throw new RcnnError('FILE_MISSING', {
    where: what,
    problem: 'this folder has no checkpoint',
    expected: CHECKPOINTS.join(' or '),
    hint: hintFor(what),
  });
}

/** What no file could be called is none either: whoever opens it says so. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A folder of weights that is none of ours, such as a repository of Hugging Face: then one of its files is meant. */
function hintFor(folder: string): string {
  const files = readdirSync(folder).filter((name) => /\.(?:safetensors|pth|pt|ckpt|bin|pkl|onnx)$/i.test(name));
  if (files.length === 0) return "Name a run folder such as 'runs/train', or a file.";
  return `Name the file: ${quoteName(join(folder, files.sort()[0]!))}.`;
}
