/** For tests of what ranks do together: all in one process, no network. */
export { failingAt } from './failing-at.ts';
export { asThread, inThreads } from './in-threads.ts';
export { type Ending, inTurns } from './in-turns.ts';
