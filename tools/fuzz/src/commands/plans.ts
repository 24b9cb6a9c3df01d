import type { Random } from '@rcnn/core/random';

/** A call, and the scene that lies in `in` when it is made. */
export interface Plan {
  readonly scene: string;
  readonly args: readonly string[];
  /** What the call may make beside `in`. */
  readonly makes: readonly string[];
  /** Whether it writes into `in`: a run that goes on. */
  readonly writesIn?: boolean;
}

const DATASETS = ['coco', 'voc', 'via', 'yolo', 'labelme'];
const MODEL = ['--weights', 'in/w.safetensors', '--engine', 'cpu'];
/** A training of one step. */
export const TRAINING = ['--arch', 'patches', '--engine', 'cpu', '--batch-size', '2', '--workers', '0', '--steps', '1', '--quiet']; // biome-ignore format: a row

/** Calls that work on good inputs: every command that reads files of others, and every reader. */
export const PLANS: readonly Plan[] = [
  ...DATASETS.flatMap((scene): Plan[] => [
    { scene, args: ['doctor', 'in'], makes: [] },
    { scene, args: ['doctor', 'in', '--fix', 'out'], makes: ['out'] },
    { scene, args: ['doctor', 'in', '--manifest', 'out.json', '--json'], makes: ['out.json'] },
    { scene, args: ['convert-data', 'in', 'out'], makes: ['out'] },
    { scene, args: ['convert-data', 'in', 'out', '--to', 'yolo', '--image-files', 'link'], makes: ['out'] },
    { scene, args: ['convert-data', 'in', 'out', '--to', 'labelme', '--bad-samples', 'skip'], makes: ['out'] },
    { scene, args: ['preview', 'in', '--out', 'out', '--limit', '1', '--draws', '1'], makes: ['out'] },
    { scene, args: ['visualize', 'in', '--out', 'out', '--limit', '2'], makes: ['out'] },
    { scene, args: ['evaluate', '--gt', 'in', '--dt', 'in/dt.json', '--workers', '0'], makes: [] },
    { scene, args: ['train', 'in', ...TRAINING, '--out', 'out'], makes: ['out'] },
    { scene, args: ['train', 'in', ...TRAINING, '--out', 'out', '--bad-samples', 'skip'], makes: ['out'] },
  ]),
  { scene: 'photos', args: ['predict', 'in', ...MODEL, '--out', 'out'], makes: ['out'] },
  { scene: 'photos', args: ['predict', 'in/p.tar', ...MODEL, '--out', 'out', '--results', 'r.json'], makes: ['out', 'r.json', 'r.jsonl'] }, // biome-ignore format: rows
  { scene: 'photos', args: ['predict', '--list', 'in/list.txt', ...MODEL, '--out', 'out', '--save-crops', '--save-masks'], makes: ['out'] }, // biome-ignore format: rows
  { scene: 'photos', args: ['predict', 'in', 'in/p.tar', ...MODEL, '--shard', '0/1', '--parts', 'out'], makes: ['out'] }, // biome-ignore format: rows
  { scene: 'weights', args: ['inspect', 'in/w.safetensors'], makes: [] },
  { scene: 'weights', args: ['inspect', 'in/w.pth', '--json'], makes: [] },
  { scene: 'weights', args: ['convert', 'in/w.pth', 'out.safetensors'], makes: ['out.safetensors'] },
  { scene: 'weights', args: ['convert', 'in/w.safetensors', 'out.safetensors'], makes: ['out.safetensors'] },
  { scene: 'results', args: ['evaluate', '--gt', 'in/gt.json', '--dt', 'in/dt.json', '--per-class', '--report', '--workers', '0'], makes: [] }, // biome-ignore format: rows
  { scene: 'results', args: ['evaluate', '--gt', 'in/gt.json', '--dt', 'in/dt.json', '--plots', 'out', '--numbers', 'n.json', '--workers', '0'], makes: ['out', 'n.json'] }, // biome-ignore format: rows
  { scene: 'parts', args: ['merge', 'in', '--results', 'r.json'], makes: ['r.json', 'r.jsonl'] },
  { scene: 'parts', args: ['merge', 'in', '--json'], makes: [] },
  { scene: 'run', args: ['train', '--resume', 'in', '--steps', '2', '--quiet'], makes: [], writesIn: true },
  { scene: 'run', args: ['val', '--weights', 'in', '--engine', 'cpu'], makes: [] },
  { scene: 'failed', args: ['replay', 'in/failed-step-4-batch.safetensors'], makes: [] },
  { scene: 'failed', args: ['replay', 'in/failed-step-4-batch.safetensors', '--engine', 'cpu', '--json'], makes: [] },
  { scene: 'model', args: ['export', 'in/w.safetensors', '--out', 'out.onnx'], makes: ['out.onnx'] },
  { scene: 'model', args: ['export', 'in/w.safetensors', '--out', 'out.onnx', '--three-parts', '--int8'], makes: ['out.image.onnx', 'out.box.onnx', 'out.mask.onnx'] }, // biome-ignore format: rows
  { scene: 'model', args: ['load', 'in/w.safetensors', 'in/a.png'], makes: [] },
  { scene: 'model', args: ['load', 'in/w.onnx', 'in/a.png'], makes: [] },
  { scene: 'photos', args: ['serve', ...MODEL, '--port', '0'], makes: [] },
];

/** Words that a call may hold in place of what it should. */
const WORDS = ['', '-1', 'NaN', '1e999', '\u001b]0;x\u0007', 'a\nerror FAKE: b', '\u202egnp', '../canary', '/dev/zero', 'x'.repeat(9000), '{}', '%', '[', '__proto__', 'http://']; // biome-ignore format: words

/** Where results go, and the options that say so: a place of the caller's choosing is no escape. */
const PLACES =
  /^(?:out|out\.json|out\.onnx|out\.safetensors|r\.json|n\.json|--out|--results|--numbers|--plots|--parts|--fix|--manifest)$/;

/** The arguments with one of them changed, or one option more. */
export function changedArgs(args: readonly string[], random: Random): readonly string[] {
  const at = 1 + random.integer(args.length - 1);
  if (random.chance(0.5) && !PLACES.test(args[at]!)) return args.with(at, random.pick(WORDS));
  const option = random.pick(['--split', '--format', '--images', '--class-name', '--limit', '--max-pixels', '--x']);
  return [...args, option, random.pick(WORDS)];
}
