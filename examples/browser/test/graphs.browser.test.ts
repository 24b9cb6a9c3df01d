import { type Detection, engineModels, Random, useEngine } from '@rcnn/core';
import { CompiledDetector, compile, compileAs, onnxRuntimeWeb, webModels } from '@rcnn/onnx';
import { maskRcnnSmall } from 'mask-rcnn';
import webgpuProgram from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import * as webgpu from 'onnxruntime-web/webgpu';
import { beforeAll, expect, test } from 'vitest';
import { loaders, models, openEngine } from '../src/engine.ts';

/** A picture with something to see. */
function picture() {
  const random = new Random(7);
  const data = Uint8Array.from({ length: 3 * 96 * 128 }, (_, i) => 100 + 60 * Math.sin(i / 40) + random.integer(60));
  return { data, height: 96, width: 128, channels: 3 } as const;
}

const image = picture();
/** Of random numbers, whose scores are about a third for each of three classes. */
const model = () => maskRcnnSmall({ numClasses: 3, random: new Random(3), boxDetectionsPerImg: 20 });

function expectSame(found: readonly Detection[], expected: readonly Detection[]): void {
  expect(found.length).toBe(expected.length);
  expect(expected.length).toBeGreaterThan(3);
  for (const [i, { label, score, box, mask }] of expected.entries()) {
    expect(found[i]!.label).toBe(label);
    expect(Math.abs(found[i]!.score - score)).toBeLessThan(1e-3);
    for (const [k, corner] of box.entries()) expect(Math.abs(found[i]!.box[k]! - corner)).toBeLessThan(0.05);
    const [own, other] = [found[i]!.mask!.bitmap(), mask!.bitmap()];
    expect(own.filter((pixel, at) => pixel !== other[at]).length).toBeLessThanOrEqual(own.length / 1000);
  }
}

let expected: Detection[];

beforeAll(async () => {
  await useEngine('wasm', { loaders });
  const alone = model();
  [expected] = (await alone.detect([image])) as [Detection[]];
  alone.dispose();
});

test('auto finds by whole graphs what the engine of tfjs finds alone; to teach, no graphs are used', async () => {
  const engine = await openEngine('auto', 'predict');
  expect([engine.name, engine.models]).toEqual([
    'wasm',
    expect.stringMatching(/^onnxruntime-web \(CPU, \d threads?\)$/),
  ]);
  const detector = compileAs(model());
  expect(detector).toBeInstanceOf(CompiledDetector);
  const [found] = await detector.detect([image]);
  expect((detector as CompiledDetector).isCompiled).toBe(true);
  expectSame(found!, expected);
  detector.dispose();
  await openEngine('webgl', 'train');
  expect(engineModels()).toBeUndefined();
});

test('a GPU that is none is left to the processor, also where it is asked for by its name', async () => {
  const engine = await useEngine('webgpu', { loaders, models });
  expect(engine.software).toBe(true);
  expect(engine.models).toMatch(/^onnxruntime-web \(CPU/);
});

test('by WebGPU the same is found', async () => {
  await useEngine('wasm', { loaders });
  webgpu.env.wasm.wasmPaths = { wasm: webgpuProgram };
  const detector = compile(model(), { open: webModels(webgpu, { providers: ['webgpu'], threads: 1 }) });
  const [found] = await detector.detect([image]);
  expectSame(found!, expected);
  detector.dispose();
});

test('programs that are not there: the engine computes alone, and says what to do; to insist is an error', async () => {
  const gone = async () => ({
    ...webgpu,
    InferenceSession: { create: () => Promise.reject(new Error('no available backend found. ERR: [wasm] 404')) },
  });
  const engine = await useEngine('wasm', { loaders, models: onnxRuntimeWeb({ wasm: gone }) });
  expect(engine.models).toBeUndefined();
  expect(engine.whyNoModels).toMatch(/does not start.*wasmPaths/);
  const small = model();
  expect(compileAs(small)).not.toMatchObject({ isCompiled: true });
  expect(() => compile(small)).toThrow(expect.objectContaining({ code: 'ENGINE_CANNOT_COMPILE' }));
  small.dispose();
});
