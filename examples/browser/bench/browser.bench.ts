// Prediction to RLE in a real Chromium: by compiled graphs on onnxruntime-web beside the engines of tfjs, each in a page
// of its own, in turns.
//   npm run bench -- browser [--runs 5] [--only small|r50] [--engines onnxruntime-web,wasm,webgl]
// `small` is the network that the demo trains, at 128x128; `r50` is Mask R-CNN R50-FPN at 640x640; weights are hashed in
// the page. The first prediction of each is left out. Without a GPU, webgl is Chromium's software driver. `CPU` is what
// all processes of Chromium computed.
import { benchOptions, figure, type Seen } from '@rcnn/shared/bench';
import { findChromium, NO_CHROMIUM } from '@rcnn/shared/chromium';
import { BenchPages, type Turn, type WayPage } from './pages.ts';
import { type OpenedWay, type SubjectName, WAYS, type WayName } from './ways.ts';

const values = benchOptions({
  runs: { type: 'string', default: '5' },
  only: { type: 'string' },
  engines: { type: 'string', default: 'onnxruntime-web,wasm,webgl' },
});

interface Subject {
  readonly name: SubjectName;
  readonly about: string;
  /** Predictions for each of `--runs`: of a few milliseconds more are taken. */
  readonly times: number;
}

const SUBJECTS: readonly Subject[] = [
  { name: 'small', about: 'maskrcnn_small, 128x128', times: 4 },
  { name: 'r50', about: 'Mask R-CNN R50-FPN, 640x640', times: 1 },
];

/** What one way showed. */
interface Shown {
  readonly way: WayName;
  readonly opened: OpenedWay;
  readonly page: WayPage;
  readonly turns: Turn[];
}

const ways = chosenWays(values.engines);
const executable = findChromium();
if (executable === undefined) {
  console.error(`${NO_CHROMIUM}.`);
  process.exit(2);
}
const pages = await BenchPages.start(executable);
console.log(pages.version);
try {
  for (const subject of SUBJECTS) if (values.only === undefined || values.only === subject.name) await measure(subject);
} finally {
  await pages.end();
}

async function measure({ name, about, times }: Subject): Promise<void> {
  console.log(`Prediction to RLE in a browser, ${about}`);
  const shown: Shown[] = [];
  for (const way of ways) {
    const { page, opened } = await pages.open(way, name);
    shown.push({ way, page, opened, turns: [await page.predict()] });
    console.error(`  ${way}: the first took ${shown.at(-1)!.turns[0]!.ms.toFixed(0)} ms …`); // it may be minutes
  }
  for (let run = 0; run < Number(values.runs) * times; run++) {
    for (const { page, turns } of shown) turns.push(await page.predict());
  }
  for (const { page } of shown) await page.close();
  for (const one of shown) console.log(line(one, shown[0]!));
  const [ours, ...peers] = shown.map(seen);
  if (ways[0] === 'onnxruntime-web') figure({ work: `Prediction to RLE in Chromium, ${about}`, ours: ours!, peers });
}

function line({ opened, turns, way }: Shown, first: Shown): string {
  const all = clock(turns);
  const [least, most] = [Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(0));
  const times = `${median(all).toFixed(0)} ms (${least} to ${most}, first ${turns[0]!.ms.toFixed(0)})`;
  const against = `${(median(all) / median(clock(first.turns))).toFixed(2)}x ${first.way}`;
  const cpu = computed(turns);
  const ofCpu = (median(cpu) / median(computed(first.turns))).toFixed(2);
  const said = cpu.length === 0 ? '' : `; CPU ${median(cpu).toFixed(0)} ms, ${ofCpu}x`;
  return `  ${way.padEnd(16)} ${times}, ${against}${said}; ${turns[0]!.detections} detections; ${opened.device}`;
}

/** Of all but the first. */
function clock(turns: readonly Turn[]): number[] {
  return turns.slice(1).map(({ ms }) => ms);
}

function computed(turns: readonly Turn[]): number[] {
  return turns.slice(1).flatMap(({ cpu }) => cpu ?? []);
}

function seen({ way, opened, turns }: Shown): Seen {
  const value = median(clock(turns));
  const who = way === 'onnxruntime-web' ? way : `tfjs-${way}${opened.software ? ' (software GPU)' : ''}`;
  return { who, says: `${value.toFixed(0)} ms`, value, unit: 'ms' };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function chosenWays(text: string): readonly WayName[] {
  const names = text.split(',');
  const unknown = names.filter((name) => !(WAYS as readonly string[]).includes(name));
  if (unknown.length === 0) return names as WayName[];
  console.error(`--engines knows ${WAYS.join(', ')}; not ${unknown.join(', ')}.`);
  return process.exit(2);
}
