import { readTextSync } from '@rcnn/files';

/**
 * Fetches the weights that a training begins with, by its command line or by the file of its `--config`, while there is a
 * network to fetch them from. Where the training is to stay off the network, they have to be here already.
 * @param command `train` and its options
 * @throws OFFLINE, and what fetching and reading throw
 */
export async function fetchWeights(command: readonly string[]): Promise<void> {
  const [{ loadPretrained }, { weightsFile }, { parseConfig }] = await Promise.all([
    import('@rcnn/checkpoint/node'),
    import('mask-rcnn/node'),
    import('@rcnn/train'),
  ]);
  const path = valueOf(command, '--config');
  const file = path === undefined ? {} : parseConfig(readTextSync(path), path);
  const offline = command.includes('--offline') || file.offline === true;
  for (const name of [
    valueOf(command, '--weights') ?? file.weights,
    valueOf(command, '--weights-backbone') ?? file.weightsBackbone,
  ]) {
    if (name === undefined || name === 'none') continue;
    await (await loadPretrained(weightsFile(name), { offline })).close();
  }
}

function valueOf(command: readonly string[], flag: string): string | undefined {
  const at = command.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return command[at] === flag ? command[at + 1] : command[at]!.slice(flag.length + 1);
}
