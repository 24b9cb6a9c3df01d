/** Requests as clients send them: photographs, and one in ten that cannot be answered. */
import { connect } from 'node:net';
import sharp from 'sharp';

/** What became of a request. `lost`: the connection ended without an answer. */
export interface Outcome {
  readonly good: boolean;
  readonly status: number | 'lost';
  readonly milliseconds: number;
  /** Objects of a good answer, the code of a refusal. */
  readonly said: string;
  /** How often a full house sent it away first. */
  readonly waits: number;
}

export interface Asked {
  readonly good: boolean;
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The client leaves in the middle of sending. */
  readonly leaves?: boolean;
}

/** `count` requests: of each ten one is broken, in every way in turn. */
export async function requestsOf(count: number): Promise<Asked[]> {
  const photos = await Promise.all([0, 1, 2, 3].map(photo));
  const [first] = photos as [Uint8Array<ArrayBuffer>];
  const broken: Omit<Asked, 'good'>[] = [
    { path: '/v1/detect', type: 'image/png', body: first.slice(0, first.length >> 1) },
    { path: '/v1/detect', type: 'image/png', body: new Uint8Array() },
    { path: '/v1/detect', type: 'image/jpeg', body: new TextEncoder().encode('<html>not a picture</html>') },
    { path: '/v1/detect?scoreThreshold=2', type: 'image/png', body: first },
    { path: '/v1/detect?thresold=0.5', type: 'image/png', body: first },
    { path: '/v1/detect', type: 'application/json', body: new TextEncoder().encode('{"image": 1') },
    { path: '/v1/detect', type: 'multipart/form-data; boundary=x', body: new TextEncoder().encode('--x\r\nno form') },
    { path: '/v1/detect', type: 'image/png', body: sides(first, 60_000, 60_000) },
    { path: '/v2/detect', type: 'image/png', body: first },
    { path: '/v1/detect', type: 'image/png', body: first, leaves: true },
  ];
  return Array.from({ length: count }, (_, i): Asked => {
    if (i % 10 === 9) return { good: false, ...broken[Math.floor(i / 10) % broken.length]! };
    return { good: true, path: '/v1/detect?format=rle&scoreThreshold=0', type: 'image/png', body: photos[i % 4]! };
  });
}

async function photo(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  const [width, height] = seed % 2 === 0 ? [192, 128] : [128, 128];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => ((i * (37 + seed)) ^ ((i >> 7) * 11)) & 255);
  const png = sharp(data, { raw: { width, height, channels: 3 } }).png();
  return new Uint8Array(await png.toBuffer());
}

/** A PNG that claims other sides: 16 bytes in stand its width and height. */
function sides(png: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const claimed = new Uint8Array(png);
  const view = new DataView(claimed.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return claimed;
}

/** Sends a request, again while the house is full. */
export async function send(address: string, asked: Asked): Promise<Outcome> {
  const start = performance.now();
  const outcome = (status: Outcome['status'], said: string, waits: number): Outcome => ({
    good: asked.good,
    status,
    said,
    waits,
    milliseconds: performance.now() - start,
  });
  if (asked.leaves === true) {
    await leave(address, asked);
    return outcome('lost', 'the client left', 0);
  }
  for (let waits = 0; ; waits++) {
    try {
      const { path, type, body } = asked;
      const answer = await fetch(address + path, { method: 'POST', headers: { 'content-type': type }, body });
      const text = await answer.text();
      if (answer.status === 429) {
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get('retry-after'))));
        continue;
      }
      const { objects, code } = JSON.parse(text) as { objects?: unknown[]; code?: string };
      return outcome(answer.status, objects === undefined ? String(code) : `${objects.length} objects`, waits);
    } catch (error) {
      return outcome('lost', (error as Error).message, waits);
    }
  }
}

function leave(address: string, { path, type, body }: Asked): Promise<void> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      socket.write(body.subarray(0, body.length >> 1), () => socket.destroy());
    });
    socket.once('close', () => resolve());
    socket.once('error', () => undefined);
  });
}

/** Sends all requests, `width` of them at once, and tells when each is done. */
export async function sendAll(
  addressOf: () => string,
  requests: readonly Asked[],
  width: number,
  done: (outcome: Outcome, count: number) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < requests.length) {
      const outcome = await send(addressOf(), requests[next++]!);
      outcomes.push(outcome);
      done(outcome, outcomes.length);
    }
  };
  await Promise.all(Array.from({ length: width }, client));
  return outcomes;
}
