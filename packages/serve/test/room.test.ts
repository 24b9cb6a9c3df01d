import { Random } from '@rcnn/core/random';
import { expect, test } from 'vitest';
import { PixelRoom } from '../src/room.ts';

const never = new AbortController().signal;
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('never holds more than its size, in the order of coming; one that is too large gets all of it', async () => {
  const room = new PixelRoom(100);
  const random = new Random(5);
  let [held, most] = [0, 0];
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 60 }, (_, i) => {
      const pixels = i === 30 ? 1000 : 1 + random.integer(60);
      return room.hold(pixels, never, async () => {
        order.push(i);
        held += Math.min(pixels, 100);
        most = Math.max(most, held);
        for (let n = random.integer(4); n >= 0; n--) await pause();
        held -= Math.min(pixels, 100);
        if (i % 7 === 0) throw new Error('spoiled');
      });
    }).map((work) => work.catch(() => undefined)),
  );
  expect([held, most <= 100, most > 50]).toEqual([0, true, true]);
  expect(order).toEqual(Array.from({ length: 60 }, (_, i) => i));
});

test('who leaves while waiting frees those behind', async () => {
  const room = new PixelRoom(100);
  const leaver = new AbortController();
  let end: () => void = () => undefined;
  const first = room.hold(60, never, () => new Promise<void>((resolve) => (end = resolve)));
  const second = room.hold(80, leaver.signal, async () => 'second');
  const third = room.hold(40, never, async () => 'third');
  await pause();
  leaver.abort();
  await expect(second).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(await third).toBe('third'); // though the first is still there
  end();
  await first;
  await expect(room.hold(1, AbortSignal.abort(), async () => 'x')).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(await room.hold(100, never, async () => 'all')).toBe('all');
});
