const READ = 'jpe?g|jpe|jfif|png|apng|webp|tiff?|gif|avif|bmp|dib';

/** Photographs that no reader here decodes: phones' HEIC, JPEG XL, JPEG 2000, and the raw files of cameras. */
const UNREAD = 'hei[cf]|hif|jxl|jp2|j2k|dng|cr[23]|nef|arw|orf|rw2|raf|pef|srw';

/** Endings of pictures that are read. */
export const PICTURE: RegExp = new RegExp(`\\.(?:${READ})$`, 'i');

/**
 * Endings of all photographs. Those that are not read are among them to be told by name: passing them by would lose
 * photographs in silence.
 */
export const PHOTOGRAPH: RegExp = new RegExp(`\\.(?:${READ}|${UNREAD})$`, 'i');

const COMPANION = /(?:^|\/)\._[^/]*$/;

/**
 * Leaves out what is no photograph of its own: the raw or HEIC file of a camera beside the JPEG of the same name, and
 * `._photo.jpg`, which macOS leaves beside `photo.jpg` on disks of other systems and in archives.
 * @param names with the folders before them, where there are any
 */
export function photographs(names: readonly string[]): string[] {
  const stem = (name: string): string => name.slice(0, name.lastIndexOf('.')).toLowerCase();
  const own = names.filter((name) => PHOTOGRAPH.test(name) && !COMPANION.test(name));
  const read = new Set(own.filter((name) => PICTURE.test(name)).map(stem));
  return own.filter((name) => PICTURE.test(name) || !read.has(stem(name)));
}
