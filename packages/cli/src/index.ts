export type { ProgramOptions } from './command.ts';
export { createProgram, main } from './main.ts';
