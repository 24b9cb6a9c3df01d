import { counted, isRcnnError, RcnnError } from '@rcnn/core/errors';
import type { WeightsProfile } from '../profile.ts';
import { strangerOf } from '../programs/program.ts';
import type { TensorSource } from '../tensor-source.ts';
import { isBackboneAlone } from './body.ts';

/**
 * The error of loading, said in fewer words where the file names another architecture than `arch`: no list of tensors
 * says as much. Other errors are given back as they are.
 *
 * @param error what loading threw
 * @param where the file
 * @param profile what the file says of itself
 * @param arch the architecture that was asked for
 */
export function otherArchitecture(
  error: unknown,
  where: string,
  profile: WeightsProfile | undefined,
  arch: string,
): unknown {
  const found = profile?.architecture;
  if (!isRcnnError(error, 'CHECKPOINT_MISMATCH') || found === undefined || found === arch) return error;
  return new RcnnError('CHECKPOINT_MISMATCH', {
    where,
    problem: 'the checkpoint is of another architecture',
    found,
    expected: arch,
    hint: `Ask for its own: arch ${found}.`,
    cause: error,
  });
}

/**
 * Refuses weights that no architecture recognises as its own, and says where a backbone alone can be used.
 * @param example an architecture to name to the user
 * @throws CHECKPOINT_MISMATCH always
 */
export function refuseUnknown({ name, tensors }: Pick<TensorSource, 'name' | 'tensors'>, example: string): never {
  const stranger = strangerOf({ tensors });
  if (stranger !== undefined) throw new RcnnError('CHECKPOINT_MISMATCH', { where: name, ...stranger });
  if (isBackboneAlone({ tensors })) {
    throw new RcnnError('CHECKPOINT_MISMATCH', {
      where: name,
      problem: 'the file holds a backbone alone, not a detector',
      hint: 'Train from it: mask-rcnn train --weights-backbone FILE (weightsBackbone), or load it with loadBackbone.',
    });
  }
  throw new RcnnError('CHECKPOINT_MISMATCH', {
    where: name,
    problem: 'the file does not say of which architecture it is, and its tensors look like none we know',
    found: counted(tensors.size, 'tensor'),
    hint: `Name the architecture, e.g. ${example}.`,
  });
}
