export { fileError } from './file-error.ts';
export { makeFolderSync } from './make-folder.ts';
export { OutputFolder, plainName, writeError } from './output-folder.ts';
export { PHOTOGRAPH, PICTURE, photographs } from './picture-names.ts';
export { mayRun, type ProcessIdentity, thisProcess } from './process-identity.ts';
export { openRegular, openRegularSync, readTextSync, requireReplaceable } from './regular-file.ts';
