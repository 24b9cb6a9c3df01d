import 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why this machine or this call skips the test. The end of `npm test` lists it; a skip that does not say it is a failure. */
    whySkipped?: string | undefined;
  }
}
