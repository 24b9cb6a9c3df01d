export type * from './api.ts';
export { answerProposals, type OpenedModel } from './model/answer-proposals.ts';
export type { Program } from './program.ts';
export { createStudio, type StudioServer } from './server/server.ts';
export type { StudioOptions } from './server/studio.ts';
