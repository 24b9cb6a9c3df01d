/** Bytes: what Node holds in all; in a browser its JavaScript heap where it tells (Chromium), else 0. */
export function memoryInUse(): number {
  const { process, performance } = globalThis as {
    process?: { memoryUsage?: { rss(): number } };
    performance: { memory?: { usedJSHeapSize: number } };
  };
  return process?.memoryUsage?.rss() ?? performance.memory?.usedJSHeapSize ?? 0;
}
