import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { PixelImage } from '@rcnn/core';
import { isRcnnError, RcnnError } from '@rcnn/core/errors';
import { signature } from '../pictures/picture-kind.ts';

/** Files that are read as video. */
export const VIDEO_FILE: RegExp = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv|mts|m2ts|ogv|3gp)$/i;

/** Where frames come from, in the words of ffmpeg. */
export interface VideoSource {
  /** A file, or the name of a camera. */
  readonly name: string;
  /** Options that stand before the input, and the input. */
  readonly input: readonly string[];
  /** A camera has no end. */
  readonly endless: boolean;
}

/** A video file. `file:` keeps names such as `concat:…` from being anything but names, and nothing else is opened. */
export function videoFile(path: string): VideoSource {
  return { name: path, input: ['-protocol_whitelist', 'file', '-i', `file:${path}`], endless: false };
}

const CAMERA = /^webcam(?::(.+))?$/;

/** `webcam`, `webcam:1`, or on Windows `webcam:Name of the camera`; undefined when the text names none. */
export function camera(text: string): VideoSource | undefined {
  const found = CAMERA.exec(text);
  if (found === null) return undefined;
  const which = found[1] ?? '0';
  const inputs: Partial<Record<NodeJS.Platform, readonly string[]>> = {
    linux: ['-f', 'v4l2', '-i', /^\d+$/.test(which) ? `/dev/video${which}` : which],
    darwin: ['-f', 'avfoundation', '-framerate', '30', '-i', which],
    win32: ['-f', 'dshow', '-i', `video=${which}`],
  };
  const input = inputs[process.platform];
  if (input !== undefined) return { name: text, input, endless: true };
  throw new RcnnError('INVALID_ARGUMENT', { where: text, problem: `no camera is known on ${process.platform}` });
}

export interface VideoFacts {
  /** Frames per second, as a fraction that ffmpeg reads: `30000/1001`. */
  readonly rate: string;
  /** Frames in all; undefined when the file does not say. */
  readonly frames: number | undefined;
}

const USUAL_RATE = '25';

/** Stands in the videos that are written, so that a later run knows them again. */
const COMMENT = signature('prediction');

/** What the header of a video says. Without ffprobe the usual is taken. */
export async function videoFacts({ input, endless }: VideoSource): Promise<VideoFacts> {
  if (endless) return { rate: USUAL_RATE, frames: undefined };
  const fields = 'stream=avg_frame_rate,r_frame_rate,nb_frames:format=duration';
  try {
    const { streams = [], format } = (await probed(['-select_streams', 'v:0', '-show_entries', fields, ...input])) as {
      streams?: readonly Readonly<Record<string, string>>[];
      format?: { duration?: string };
    };
    const stream = streams[0] ?? {};
    const rate = [stream['avg_frame_rate'], stream['r_frame_rate']].find((value) => fractionOf(value) > 0);
    const counted = Number(stream['nb_frames']);
    const estimated = Math.round(Number(format?.duration) * fractionOf(rate));
    const frames = [counted, estimated].find((value) => Number.isFinite(value) && value > 0);
    return { rate: rate ?? USUAL_RATE, frames };
  } catch {
    return { rate: USUAL_RATE, frames: undefined };
  }
}

/** Whether an earlier run wrote a video, by its comment. Without ffprobe nobody can tell, so then it is not ours. */
export async function isOurVideo(file: string): Promise<boolean> {
  try {
    const { format } = (await probed(['-show_entries', 'format_tags', ...videoFile(file).input])) as {
      format?: { tags?: Readonly<Record<string, string>> };
    };
    const tags = Object.entries(format?.tags ?? {});
    return tags.some(([name, text]) => name.toLowerCase() === 'comment' && text === COMMENT); // Matroska: COMMENT
  } catch {
    return false;
  }
}

/** What ffprobe says, which is JSON. */
async function probed(args: readonly string[]): Promise<unknown> {
  const child = spawn('ffprobe', ['-v', 'error', '-of', 'json', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  await once(child, 'close');
  return JSON.parse(text);
}

/** `30000/1001` as a number; 0 when it is none. */
function fractionOf(text: string | undefined): number {
  const [over = Number.NaN, under = 1] = (text ?? '').split('/').map(Number);
  const value = over / under;
  return Number.isFinite(value) ? value : 0;
}

/**
 * Each frame once, however uneven their times are. Left to itself ffmpeg repeats and drops frames until their rate is
 * constant (the highest in the file), and a video written at the average rate would be too long.
 */
const EACH_FRAME = ['-fps_mode', 'passthrough'];

/** The same for ffmpeg before 5.1; later ones have given it up. */
const EACH_FRAME_BEFORE = ['-vsync', 'passthrough'];

/**
 * The frames of a video, one at a time: ffmpeg waits while nobody takes them, so memory stays that of a few frames.
 * Leaving the loop ends ffmpeg.
 * @throws ENGINE_MISSING without ffmpeg, IMAGE_CORRUPT when it cannot read the video
 */
export async function* frames(source: VideoSource): AsyncGenerator<PixelImage> {
  try {
    yield* decoded(source, EACH_FRAME);
  } catch (error) {
    if (!isRcnnError(error) || !error.message.includes('Unrecognized option')) throw error;
    yield* decoded(source, EACH_FRAME_BEFORE);
  }
}

async function* decoded({ name, input }: VideoSource, pace: readonly string[]): AsyncGenerator<PixelImage> {
  // Each frame as a PPM: it says its own size, which a rotation in the header or a change in the stream may turn.
  const pictures = ['-f', 'image2pipe', '-c:v', 'ppm', '-'];
  const args = ['-v', 'error', '-nostdin', ...input, '-map', '0:v:0', ...pace, ...pictures];
  const child = spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = ending(child);
  const words = collected(child.stderr);
  try {
    let count = 0;
    for await (const frame of ppmFrames(child.stdout, name)) {
      count++;
      yield frame;
    }
    const { code, error } = await end;
    if (error !== undefined) throw withoutFfmpeg(name, error);
    if (code !== 0 || count === 0) throw unreadable(name, words());
  } finally {
    child.kill('SIGKILL');
  }
}

/** A video that is being written. */
export interface VideoWriter {
  write(frame: PixelImage): Promise<void>;
  /** Ends the file. @throws IO_FAILED */
  end(): Promise<void>;
  /** Gives the file up. */
  abort(): void;
}

/** Starts writing frames of one size to a video file; ffmpeg chooses the codec by the file's ending. */
export function videoWriter(file: string, { width, height }: PixelImage, rate: string): VideoWriter {
  const raw = ['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', `${width}x${height}`, '-framerate', rate];
  const even = 'pad=ceil(iw/2)*2:ceil(ih/2)*2,format=yuv420p'; // what players show everywhere
  const comment = ['-metadata', `comment=${COMMENT}`];
  const args = ['-v', 'error', '-y', ...raw, '-i', '-', '-vf', even, ...comment, '-movflags', '+faststart'];
  const child = spawn('ffmpeg', [...args, `file:${file}`], { stdio: ['pipe', 'ignore', 'pipe'] });
  const end = ending(child);
  const words = collected(child.stderr);
  child.stdin.on('error', () => undefined); // its exit says why
  const check = async (): Promise<void> => {
    const { code, error } = await end;
    if (error !== undefined) throw withoutFfmpeg(file, error);
    if (code !== 0)
      throw new RcnnError('IO_FAILED', { where: file, problem: 'ffmpeg cannot write it', found: words() });
  };
  return {
    async write(frame) {
      if (frame.width !== width || frame.height !== height) {
        throw new RcnnError('IMAGE_SIZE_MISMATCH', {
          where: file,
          problem: 'the frames of the video change their size',
          found: `${frame.width}x${frame.height}`,
          expected: `${width}x${height}`,
        });
      }
      if (child.exitCode !== null) await check();
      if (!child.stdin.write(frame.data)) await Promise.race([once(child.stdin, 'drain'), end]);
    },
    async end() {
      child.stdin.end();
      await check();
    },
    abort: () => void child.kill('SIGKILL'),
  };
}

type Child = ChildProcessByStdio<Writable | null, Readable | null, Readable>;

function ending(child: Child): Promise<{ readonly code: number | null; readonly error: Error | undefined }> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, error }));
    child.on('close', (code) => resolve({ code, error: undefined }));
  });
}

/** The end of what a program complains about. */
function collected(stream: Readable): () => string {
  let text = '';
  stream.on('data', (chunk) => (text = (text + String(chunk)).slice(-500)));
  return () => text.trim().replaceAll('\n', '; ');
}

function withoutFfmpeg(where: string, cause: Error): RcnnError {
  return new RcnnError('ENGINE_MISSING', {
    where,
    problem: 'videos and cameras need the program ffmpeg, and it does not start',
    found: (cause as NodeJS.ErrnoException).code ?? cause.message,
    hint: 'Install it (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg) so that it is on the PATH.',
    cause,
  });
}

function unreadable(where: string, found: string): RcnnError {
  return new RcnnError('IMAGE_CORRUPT', {
    where,
    problem: 'ffmpeg reads no frames from it',
    found: found === '' ? 'nothing' : found,
  });
}

/** The largest frame: a header may claim anything. */
const MAX_FRAME = 64_000_000;

/** `P6`, width, height and 255 in lines, then the pixels; one picture after the other. */
async function* ppmFrames(stream: AsyncIterable<Buffer>, where: string): AsyncGenerator<PixelImage> {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await chunks.next();
    if (next.done === true) return false;
    rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
    return true;
  };
  for (;;) {
    let header = PPM.exec(rest.toString('latin1', 0, 40));
    while (header === null && rest.length < 40 && (await more())) header = PPM.exec(rest.toString('latin1', 0, 40));
    if (header === null) {
      if (rest.length === 0) return;
      throw unreadable(where, 'what ffmpeg gives is no picture');
    }
    const [width, height] = [Number(header[1]), Number(header[2])];
    if (width * height === 0 || width * height > MAX_FRAME) throw unreadable(where, `frames of ${width}x${height}`);
    const data = new Uint8Array(width * height * 3);
    let length = 0;
    rest = rest.subarray(header[0].length);
    for (;;) {
      const part = rest.subarray(0, data.length - length);
      data.set(part, length);
      length += part.length;
      rest = rest.subarray(part.length);
      if (length === data.length) break;
      if (!(await more())) throw unreadable(where, 'the last frame is cut short');
    }
    yield { data, width, height, channels: 3 };
  }
}

const PPM = /^P6\s(\d{1,6})\s(\d{1,6})\s255\s/;
