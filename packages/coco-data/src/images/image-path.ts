/** Why a file name of an annotation must not be opened, or undefined when its text is harmless. */
export function pathProblem(file: string): string | undefined {
  if (file.includes('\0')) return 'contains a zero byte';
  if (file.length > 1024) return 'is longer than 1024 characters';
  // Cameras write colons into names (`cam1:0001.png`); an address has two slashes after it, or a scheme without any.
  if (/^(?:[a-z][a-z0-9+.-]+:\/\/|(?:blob|data|file|https?|javascript):)/i.test(file))
    return 'is an address, not a file';
  if (/^(?:[/\\]|[a-z]:)/i.test(file)) return 'is an absolute path';
  if (/[/\\]$/.test(file)) return 'is the name of a folder';
  const decoded = file.replace(/%2e/gi, '.').replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
  if (decoded.split(/[/\\]/).includes('..')) return 'leaves its folder';
  return undefined;
}
