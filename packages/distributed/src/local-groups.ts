import { RcnnError } from '@rcnn/core/errors';
import * as tf from '@tensorflow/tfjs-core';
import { MeetingRoom } from './meeting-room.ts';
import type { ProcessGroup } from './process-group.ts';

/**
 * A group inside this process: `size` members that meet in memory. With size 1 it is what a training alone uses; with
 * more, loops of one program play the ranks and no network is needed.
 * @returns one group per rank
 */
export function localGroups(size = 1): ProcessGroup[] {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'localGroups',
      place: 'size',
      problem: 'a group has members',
      found: String(size),
      expected: 'a whole number from 1',
    });
  }
  return membersOf(new MeetingRoom(size));
}

/** The members that meet in a room, by their ranks. */
export function membersOf(room: MeetingRoom): ProcessGroup[] {
  return Array.from({ length: room.size }, (_, rank) => new LocalMember(room, rank));
}

class LocalMember implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly #room: MeetingRoom;

  constructor(room: MeetingRoom, rank: number) {
    this.#room = room;
    this.rank = rank;
    this.size = room.size;
  }

  allReduceMean(tensors: readonly tf.Tensor[]): Promise<tf.Tensor[]> {
    return this.#room.meet('allReduceMean', this.rank, tensors, meanOf);
  }

  allReduceMeanSync(tensors: readonly tf.Tensor[]): tf.Tensor[] {
    if (this.size === 1) return meanOf([tensors]);
    throw new RcnnError('INVALID_ARGUMENT', {
      where: 'allReduceMeanSync',
      problem: 'ranks of one thread cannot wait for each other without going on in turns',
      hint: 'inThreads of @rcnn/distributed/node gives each a thread of its own.',
    });
  }

  broadcast(tensors: readonly tf.Tensor[], from = 0): Promise<tf.Tensor[]> {
    return this.#room.meet('broadcast', this.rank, tensors, (ofRanks) =>
      ofRanks[from]!.map((tensor) => tf.clone(tensor)),
    );
  }

  async barrier(): Promise<void> {
    await this.#room.meet('barrier', this.rank, [], () => []);
  }

  async reset(): Promise<void> {
    this.#room.enter(this.rank);
    await this.#room.meet('reset', this.rank, [], () => []);
  }

  close(): void {
    this.#room.leave(this.rank);
  }
}

/** Ranks are added in their order, so that every rank gets the same bits. */
function meanOf(ofRanks: readonly (readonly tf.Tensor[])[]): tf.Tensor[] {
  return ofRanks[0]!.map((first, i) =>
    tf.tidy(() => {
      const sum = ofRanks.slice(1).reduce<tf.Tensor>((total, tensors) => tf.add(total, tensors[i]!), tf.clone(first));
      return tf.div(sum, ofRanks.length);
    }),
  );
}
