import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where downloads are kept: `RCNN_CACHE` if it is set, else the user's cache directory of the platform
 * (`XDG_CACHE_HOME` or `~/.cache`, `%LOCALAPPDATA%`, `~/Library/Caches`), each with `rcnn` behind it.
 */
export function cacheDirectory(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { RCNN_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (RCNN_CACHE) return RCNN_CACHE;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'rcnn');
  if (platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'rcnn');
  return join(homedir(), ...(platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']), 'rcnn');
}
