export { fileError } from './file-error.ts';
export { openRegular, openRegularSync, readTextSync } from './regular-file.ts';
