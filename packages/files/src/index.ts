export { fileError } from './file-error.ts';
export { OutputFolder, plainName, writeError } from './output-folder.ts';
export { mayRun, type ProcessIdentity, thisProcess } from './process-identity.ts';
export { openRegular, openRegularSync, readTextSync, requireReplaceable } from './regular-file.ts';
