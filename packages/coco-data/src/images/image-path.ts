/** Why a file name of an annotation must not be opened, or undefined when its text is harmless. */
export function pathProblem(file: string): string | undefined {
  if (file.includes('\0')) return 'contains a zero byte';
  if (file.length > 1024) return 'is longer than 1024 characters';
  if (/^[a-z][a-z0-9+.-]+:/i.test(file)) return 'is an address, not a file';
  if (/^(?:[/\\]|[a-z]:)/i.test(file)) return 'is an absolute path';
  const decoded = file.replace(/%2e/gi, '.').replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  if (decoded.split(/[/\\]/).includes('..')) return 'leaves its folder';
  return undefined;
}
