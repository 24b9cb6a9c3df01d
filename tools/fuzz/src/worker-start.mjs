// Threads do not inherit the reader of TypeScript that the program was started with, so each registers its own.
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
