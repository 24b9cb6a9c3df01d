import { expect, test } from 'vitest';
import { PHOTOGRAPH, PICTURE, photographs } from '../src/index.ts';

test('pictures by their endings, in any case; those that are not read are told by name', () => {
  for (const name of ['a.JPG', 'a.jpe', 'a.jfif', 'a.apng', 'a.dib', 'a.tiff', 'a.avif']) expect(name).toMatch(PICTURE);
  for (const name of ['a.heic', 'a.JXL', 'a.jp2', 'a.DNG', 'a.cr3', 'a.nef']) {
    expect(name).not.toMatch(PICTURE);
    expect(name).toMatch(PHOTOGRAPH);
  }
  for (const name of ['jpg', 'a.jpg.txt', 'a.svg', 'a.pdf', 'a.mp4']) expect(name).not.toMatch(PHOTOGRAPH);
});

test("a camera's raw file beside its JPEG, and what macOS leaves beside a file, are no photographs of their own", () => {
  const names = ['IMG_1.CR2', 'img_1.jpg', 'IMG_2.CR2', 'IMG_3.heic', 'sub/IMG_3.jpg', '._IMG_4.jpg', 'sub/._a.jpg'];
  expect(photographs([...names, 'note.txt', 'a.png', 'a.jpg'])).toEqual([
    'img_1.jpg',
    'IMG_2.CR2',
    'IMG_3.heic',
    'sub/IMG_3.jpg',
    'a.png',
    'a.jpg',
  ]);
});
