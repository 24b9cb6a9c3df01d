// A thread whose rank is written in TypeScript; Node's option --import does not bring a loader into a thread.
import { register } from 'tsx/esm/api';

register();
await import('./norm-rank.ts');
