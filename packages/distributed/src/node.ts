/** Ranks in threads of one process, for tests of what cannot be played in turns. */
export { asThread, inThreads } from './in-threads.ts';
