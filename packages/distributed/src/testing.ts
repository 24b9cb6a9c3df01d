/** For tests of what ranks do together: all in one process, no network. */
export { failingAt } from './failing-at.ts';
export { type Ending, inTurns } from './in-turns.ts';
