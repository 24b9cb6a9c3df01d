import { blobSource, checkpointFile, openCheckpoint, stateDict, torchvisionProfile } from '@rcnn/checkpoint';
import { Random } from '@rcnn/core';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { load, maskRcnnSmall, type Photo } from 'mask-rcnn';
import { expect, test } from 'vitest';

/** Weights of random numbers, whose scores are about a third for each of three classes. */
async function weights(): Promise<Blob> {
  const model = maskRcnnSmall({ numClasses: 3, random: new Random(3) });
  const classes = [{ label: 1, categoryId: 18, name: 'dog' }];
  const profile = torchvisionProfile({ source: 'a test', numClasses: 3, architecture: 'maskrcnn_small', classes });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const file = await checkpointFile({ weights: (await stateDict(model)).values(), profile });
  for await (const chunk of file.chunks()) parts.push(new Uint8Array(chunk));
  model.dispose();
  return new Blob(parts);
}

/** A picture of 96x64 with something to see. */
function drawn(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(96, 64);
  const context = canvas.getContext('2d')!;
  for (const [i, color] of ['#c84', '#48c', '#4c8', '#840'].entries()) {
    context.fillStyle = color;
    context.fillRect(24 * i, 8 * i, 30, 40);
  }
  return canvas;
}

test('one call, from every form that a page has a picture in; weights from a file and from an address', async () => {
  await tf.setBackend('cpu');
  const before = tf.memory().numTensors;
  const file = await weights();
  expect((await openCheckpoint(blobSource(file))).profile?.classes).toHaveLength(1);
  const options = { scoreThreshold: 0.05, options: { minSize: 32, maxSize: 64, proposals: 20 } };
  const detector = await load(file, options);
  expect(detector.engine).toBe('cpu');

  const canvas = drawn();
  const png = await canvas.convertToBlob({ type: 'image/png' });
  const address = URL.createObjectURL(png);
  const element = new Image();
  element.src = address;
  await element.decode();
  const page = document.createElement('canvas');
  page.width = 96;
  page.height = 64;
  page.getContext('2d')!.drawImage(canvas, 0, 0);
  const forms: Record<string, Photo> = {
    'a canvas of the page': page,
    'a file': png,
    bytes: await png.arrayBuffer(),
    'an address': address,
    'an element': element,
    'a bitmap': await createImageBitmap(png),
    'image data': canvas.getContext('2d')!.getImageData(0, 0, 96, 64),
  };
  const found = async (photo: Photo) =>
    JSON.stringify((await detector(photo)).map(({ label, box, mask }) => [label, box, mask?.rle().counts]));
  const expected = await found(canvas);
  expect(expected).toContain('dog');
  for (const [name, photo] of Object.entries(forms)) expect([name, await found(photo)]).toEqual([name, expected]);
  detector.dispose();

  const shares: number[] = [];
  const fetched = await load(new URL(URL.createObjectURL(file)), {
    ...options,
    onProgress: (share) => shares.push(share),
  });
  expect(shares[0]).toBe(0);
  expect(shares.at(-1)).toBe(1);
  fetched.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('what is no picture yet, and what is none, is said with a code', async () => {
  await tf.setBackend('cpu');
  const detector = await load(await weights());
  await expect(detector(document.createElement('video'))).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  await expect(detector(new Blob(['text']))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  await expect(detector('/no/such.png')).rejects.toMatchObject({
    code: expect.stringMatching(/DOWNLOAD_FAILED|IMAGE_CORRUPT/) as string,
  });
  await expect(detector({} as Photo)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(load('https://127.0.0.1:9/none.pth')).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  detector.dispose();
});
