/**
 * A number of things in words: `1 image`, `0 images`, `2 boxes are lost`.
 * @param many what several are called, where it is not the one with an s
 */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
