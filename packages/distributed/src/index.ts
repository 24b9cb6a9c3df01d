export type { Environment } from './environment.ts';
export { type Launched, type LauncherName, launchedBy } from './launcher.ts';
export { localGroups } from './local-groups.ts';
export { type Members, type MembersOptions, membersOf } from './members.ts';
export type { ProcessGroup } from './process-group.ts';
export { type Shard, shardItems, shardOf } from './shard.ts';
export {
  asShorts,
  broadcastBytes,
  broadcastValue,
  errorText,
  gather,
  onEveryRank,
  onRankZero,
  peerFailed,
} from './share.ts';
export { endedByOthers, SharedNorms } from './shared-norms.ts';
