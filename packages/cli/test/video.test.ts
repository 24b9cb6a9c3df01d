import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { NewNames } from '../src/output/new-names.ts';
import { OwnFiles } from '../src/output/own-files.ts';
import { type PredictVideoOptions, predictVideo } from '../src/predict/predict-video.ts';
import { Predictor } from '../src/predict/predictor.ts';
import { camera, frames, isOurVideo, VIDEO_FILE, videoFacts, videoFile } from '../src/predict/video.ts';
import { patches } from './support/stand-in.ts';

const root = mkdtempSync(join(tmpdir(), 'cli-video-'));
const out = join(root, 'out');
const log = join(root, 'log');

/**
 * A stand-in for ffmpeg. Reading, it streams as many pictures as the file says, each 20 x 10 with a red square; writing,
 * it keeps the bytes that it is given. It says in a log how far it was asked to go. With FFMPEG_BEFORE=5.1 it lacks an
 * option, as such versions do.
 */
const FFMPEG = `#!${process.execPath}
const fs = require('node:fs');
const args = process.argv.slice(2);
if (args.includes('rawvideo')) {
  const target = args.at(-1).replace(/^file:/, '');
  fs.writeFileSync(${JSON.stringify(log)} + '.args', JSON.stringify(args));
  process.stdin.pipe(fs.createWriteStream(target));
} else if (args.includes('-fps_mode') && process.env.FFMPEG_BEFORE === '5.1') {
  process.stderr.write("Unrecognized option 'fps_mode'.\\nError splitting the argument list: Option not found");
  process.exit(1);
} else {
  fs.writeFileSync(${JSON.stringify(log)} + '.args-in', JSON.stringify(args));
  const spec = fs.readFileSync(args[args.indexOf('-i') + 1].replace(/^file:/, ''), 'utf8').split(' ');
  if (spec[0] === 'broken') { process.stderr.write('moov atom\\u001b not found'); process.exit(1); }
  if (spec[0] === 'huge') { process.stdout.write("P6\\n99999 99999\\n255\\nxxx"); spec[0] = '0'; }
  const [count, width, height] = [Number(spec[0]), Number(spec[1] ?? 20), Number(spec[2] ?? 10)];
  let sent = 0;
  const next = () => {
    if (sent === count) return;
    const data = Buffer.alloc(width * height * 3);
    for (let y = 2; y < 6; y++) for (let x = 3; x < 7; x++) data[3 * (y * width + x)] = 255;
    fs.writeFileSync(${JSON.stringify(log)}, String(++sent));
    const frame = Buffer.concat([Buffer.from('P6\\n' + width + ' ' + height + '\\n255\\n'), data]);
    process.stdout.write(spec[3] === 'cut' && sent === count ? frame.subarray(0, 50) : frame, next);
  };
  next();
}
`;
/** Of ffprobe: a file of raw bytes is what the other one wrote, with its comment; a text is a video of somebody else. */
const FFPROBE = `#!${process.execPath}
const file = process.argv.at(-1).replace(/^file:/, '');
const isWritten = require('node:fs').readFileSync(file).includes(0);
const tags = isWritten ? { encoder: 'Lavf', COMMENT: 'mask-rcnn prediction' } : { comment: 'my holiday' };
const streams = [{ avg_frame_rate: '30000/1001', nb_frames: '4' }];
process.stdout.write(JSON.stringify({ streams, format: { tags } }));
`;

beforeAll(() => {
  for (const [name, text] of Object.entries({ ffmpeg: FFMPEG, ffprobe: FFPROBE })) {
    writeFileSync(join(root, name), text);
    chmodSync(join(root, name), 0o755);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const withTools = (): void => void vi.stubEnv('PATH', `${root}${delimiter}${process.env['PATH']}`);
const without = (): void => void vi.stubEnv('PATH', '');

function video(name: string, text: string): string {
  writeFileSync(join(root, name), text);
  return join(root, name);
}

const predictor = new Predictor(patches, {
  classes: undefined,
  maskThreshold: 0.5,
  scoreThreshold: undefined,
  slice: undefined,
  overlap: 0.2,
});

async function run(file: string, options: Partial<PredictVideoOptions> = {}): Promise<string> {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((part) => ((text += String(part)), true));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await predictVideo(videoFile(file), predictor, {
    out,
    own: new OwnFiles([file]),
    save: true,
    crops: false,
    masks: false,
    json: false,
    words: true,
    results: undefined,
    limit: undefined,
    newNames: new NewNames(),
    shouldStop: () => false,
    ...options,
  });
  return text;
}

// The stand-in is a script with a first line that Windows does not read.
describe.skipIf(process.platform === 'win32')(
  'video',
  { meta: { whySkipped: 'needs a system other than Windows' } },
  () => {
    test('every frame is predicted, drawn and written, at the rate of the original', async () => {
      withTools();
      expect(await run(video('a.mp4', '4'))).toBe(`${join(root, 'a.mp4')}: 4 frames\n`);
      expect(readdirSync(out)).toEqual(['a.mp4']); // no part is left over
      const bytes = readFileSync(join(out, 'a.mp4'));
      expect(bytes).toHaveLength(4 * 20 * 10 * 3);
      const args = JSON.parse(readFileSync(`${log}.args`, 'utf8')) as string[];
      expect(args.join(' ')).toContain('-video_size 20x10 -framerate 30000/1001');
    });

    test('the original stays, and so does every file of others: the copy takes the next name', async () => {
      withTools();
      const folder = join(root, 'mine');
      mkdirSync(folder);
      const original = video('mine/drive.mp4', '2');
      writeFileSync(join(folder, 'drive-2.mp4'), 'another film');
      await run(original, { out: folder });
      expect(readdirSync(folder)).toEqual(['drive-2.mp4', 'drive-3.mp4', 'drive.mp4']);
      expect(readFileSync(original, 'utf8')).toBe('2');
      expect(readFileSync(join(folder, 'drive-2.mp4'), 'utf8')).toBe('another film');
      expect(readFileSync(join(folder, 'drive-3.mp4'))).toHaveLength(2 * 600);
      // Again: its own copy is renewed, by its comment.
      await run(video('mine/drive.mp4', '3'), { out: folder });
      expect(readdirSync(folder)).toEqual(['drive-2.mp4', 'drive-3.mp4', 'drive.mp4']);
      expect(readFileSync(join(folder, 'drive-3.mp4'))).toHaveLength(3 * 600);
      const args = JSON.parse(readFileSync(`${log}.args`, 'utf8')) as string[];
      expect(args[args.indexOf('-metadata') + 1]).toBe('comment=mask-rcnn prediction');
    });

    test('two videos of one name have two copies, and ids that the folder does not change', async () => {
      withTools();
      const folder = join(root, 'both');
      for (const name of ['', 'x', 'y']) mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, 'drive.mp4'), 'another film');
      const shared = { out: folder, own: new OwnFiles([]), newNames: new NewNames(), json: true };
      const lines = [
        await run(video('both/x/drive.mp4', '1'), shared),
        await run(video('both/y/drive.mp4', '1'), shared),
      ];
      const ids = lines.map((line) => (JSON.parse(line) as { image_id: string }).image_id);
      expect(ids).toEqual(['drive:1', 'drive-2:1']);
      expect(readdirSync(folder)).toEqual(['drive-2-2.mp4', 'drive-2.mp4', 'drive.mp4', 'x', 'y']);
    });

    test('without ffprobe nobody knows whose a video is, so it stays', async () => {
      withTools();
      const file = video('whose.mp4', '\0');
      expect(await isOurVideo(file)).toBe(true);
      without();
      expect(await isOurVideo(file)).toBe(false);
    });

    test.each([
      ['of today', '', '-fps_mode'],
      ['before 5.1', '5.1', '-vsync'],
    ])('each frame once, with an ffmpeg %s', async (_, version, option) => {
      withTools();
      vi.stubEnv('FFMPEG_BEFORE', version);
      expect(await run(video('even.mp4', '3'))).toContain(': 3 frames');
      const args = JSON.parse(readFileSync(`${log}.args-in`, 'utf8')) as string[];
      expect(args.slice(args.indexOf('-map'))).toEqual(
        ['-map', '0:v:0', option, 'passthrough', '-f', 'image2pipe', '-c:v', 'ppm', '-'], // biome-ignore format: one row
      );
    });

    test('frames wait until they are wanted: memory does not grow with the video', async () => {
      withTools();
      const stream = frames(videoFile(video('long.mp4', '100000 640 480')));
      let taken = 0;
      for await (const { data } of stream) {
        expect(data).toHaveLength(640 * 480 * 3);
        if (++taken === 3) break; // and leaving ends ffmpeg
      }
      // What was sent ahead stands in pipes and in the buffer of one stream: some frames of 100,000.
      expect(Number(readFileSync(log, 'utf8'))).toBeLessThan(100);
    });

    test('objects as JSON lines, with the frame in their name', async () => {
      withTools();
      const lines = (await run(video('b.mp4', '2'), { save: false, json: true })).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { image_id: 'b:1', file_name: 'b.mp4#1', bbox: [3, 2, 4, 4] },
        { image_id: 'b:2', file_name: 'b.mp4#2' },
      ]);
    });

    test('ends at the limit, and when it is told to', async () => {
      withTools();
      expect(await run(video('c.mp4', '50'), { limit: 3 })).toContain(': 3 frames');
      let asked = 0;
      expect(await run(video('d.mp4', '50'), { shouldStop: () => ++asked > 2 })).toContain(': 2 frames');
      expect(readFileSync(join(out, 'd.mp4'))).toHaveLength(2 * 600); // whole, though it was stopped
    });

    test.each([
      ['broken', /IMAGE_CORRUPT.*moov atom/],
      ['0', /IMAGE_CORRUPT.*reads no frames/],
      ['3 20 10 cut', /IMAGE_CORRUPT.*cut short/],
      ['huge', /IMAGE_CORRUPT.*frames of 99999x99999/],
    ])('%s is an error that says so, and leaves no file', async (text, message) => {
      withTools();
      const name = `bad-${text.replaceAll(' ', '-')}.mp4`;
      const error = await run(video(name, text)).then(
        String,
        (reason: Error & { code: string }) => `${reason.code} ${reason.message}`,
      );
      expect(error).toMatch(message);
      expect(error).not.toContain('\u001b');
      expect(readdirSync(out).filter((file) => file.includes('bad-'))).toEqual([]);
    });

    test('without ffmpeg it is said what is missing; without ffprobe the usual rate is taken', async () => {
      without();
      await expect(run(video('e.mp4', '1'))).rejects.toMatchObject({ code: 'ENGINE_MISSING', hint: /ffmpeg/ });
      expect(await videoFacts(videoFile('x.mp4'))).toEqual({ rate: '25', frames: undefined });
    });
  },
);

test('which names are videos and cameras', () => {
  expect(['a.mp4', 'b.MOV', 'c.webm', 'd.jpg', 'mp4'].map((name) => VIDEO_FILE.test(name))).toEqual(
    [true, true, true, false, false], // biome-ignore format: one row
  );
  expect(camera('webcams')).toBeUndefined();
  if (process.platform === 'linux') expect(camera('webcam:1')?.input).toContain('/dev/video1');
});

test('the name of a file is never an address or a list to ffmpeg', () => {
  expect(videoFile('concat:a|b.mp4').input).toEqual(['-protocol_whitelist', 'file', '-i', 'file:concat:a|b.mp4']);
});
