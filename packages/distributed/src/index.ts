export type { Environment } from './environment.ts';
export { type Launched, type LauncherName, launchedBy } from './launcher.ts';
export { localGroups } from './local-groups.ts';
export type { ProcessGroup } from './process-group.ts';
export { type Shard, shardItems, shardOf } from './shard.ts';
export { asShorts, broadcastBytes, broadcastValue, gather, onRankZero, peerFailed } from './share.ts';
