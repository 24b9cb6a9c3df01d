import { readFileSync, writeFileSync } from 'node:fs';
import type { JsonValue } from '@rcnn/checkpoint';
import { architectures } from '@rcnn/models';
import { describe, expect, test } from 'vitest';
import {
  architectureOf,
  formerNote,
  jsonSchema,
  learningRateOf,
  type PartialConfig,
  parseConfig,
  presets,
  resolveConfig,
} from '../src/index.ts';

const parse = (text: string) => parseConfig(text, 'train.yaml');

test('options by name', () => {
  expect(
    parse('data: ./photos\nlearningRate: 5e-4\nmilestones: [3, 4.5]\nlearningRates: { backbone.*: 0.1 }\n'),
  ).toEqual({
    data: './photos',
    learningRate: 0.0005,
    milestones: [3, 4.5],
    learningRates: { 'backbone.*': 0.1 },
  });
  expect(parse('')).toEqual({});
});

describe('what is wrong is said with its place', () => {
  test.each([
    ['data: a\nepocs: 3', /train\.yaml \(2:\d+\): there is no option 'epocs'; did you mean 'epochs'\?/],
    ['learning_rate: 1', /did you mean 'learningRate'\?/],
    ['epochs: many', /\(1:9\): epochs: .*number/],
    ['epochs: 0', /epochs: .*1/],
    ['optimizer: adam', /optimizer: .*adamw/],
    ['epochs: 1\nepochs: 2', /\(2:1\): Map keys must be unique/],
    ['data: [1', /\(\d+:\d+\)/],
    ['a: &x 1\ndata: *x', /aliases are not allowed/],
    ['data: !!binary aGk=', /\(1:\d+\).*tag.*binary is not allowed/],
    ['__proto__: { epochs: 3 }', /there is no option '__proto__'/],
    ['name: "../elsewhere"', /name/],
    ['just text', /expected/i],
  ])('%j', (text, message) => {
    expect(() => parse(text)).toThrowError(message);
    expect(() => parse(text)).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });

  test('all faults at once', () => {
    expect(() => parse('epochs: 0\nbatchSize: x\nfoo: 1')).toThrowError(/3 problems[\s\S]*1:9[\s\S]*2:12[\s\S]*3:\d+/);
  });

  test('nothing reaches the prototype of objects', () => {
    expect(() => parse('__proto__: { polluted: 1 }')).toThrow(/no option/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('values that PyYAML reads as something else show both readings', () => {
  test.each([
    ['name: no', "'no' is text here and false in PyYAML"],
    ['name: yes', "'yes' is text here and true in PyYAML"],
    ['name: on', 'true in PyYAML'],
    ['name: Off', 'false in PyYAML'],
    ['name: y', 'true in PyYAML'],
    ['epochs: 012', "'012' is 12 here and 10 in PyYAML; write 12 or 10"],
    ['name: 12:30:45', "'12:30:45' is text here and 45045 in PyYAML"],
    ['name: 1:30', '90 in PyYAML'],
  ])('%s', (text, message) =>
    expect(() => parse(text)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) as string }) as Error,
    ),
  );

  test.each([
    ['learningRate: 1e-3', { learningRate: 0.001 }], // text in PyYAML, but nobody can mean that
    ['learningRate: 5e-4', { learningRate: 0.0005 }],
    ['name: "no"', { name: 'no' }], // quoted: said clearly
    ['name: "12:30"', { name: '12:30' }],
  ])('%s is taken as it stands', (text, value) => {
    if (text.includes('12:30')) return expect(() => parse(text)).toThrowError(/name/); // not a folder name, though
    return expect(parse(text)).toEqual(value);
  });
});

describe('resolving', () => {
  test('later parts win over earlier ones, all of them over the preset', () => {
    const quick = resolveConfig({ data: 'a', preset: 'quick' });
    expect(quick).toMatchObject({ arch: 'maskrcnn_small', learningRate: 1e-3 });
    const yolact = { data: 'a', preset: 'quick', arch: 'yolact_small' };
    expect(resolveConfig(yolact).learningRate).toBe(2e-3); // learns better at that rate
    expect(resolveConfig({ ...yolact, arch: 'retinanet_small' }).learningRate).toBe(2e-3);
    expect(resolveConfig(yolact, { learningRate: 1e-4 }).learningRate).toBe(1e-4);
    const config = resolveConfig({ data: 'a', preset: 'balloon', learningRate: 1 }, { learningRate: 2 });
    expect(config).toMatchObject({ data: 'a', steps: 1000, model: { roisPerImage: 128 }, learningRate: 2 });
    expect(config).not.toHaveProperty('preset');
  });

  test("epochs that were asked for win over a preset's steps", () => {
    expect(resolveConfig({ data: 'a', preset: 'balloon', epochs: 3 })).toMatchObject({ epochs: 3 });
    expect(resolveConfig({ data: 'a', preset: 'balloon', epochs: 3 })).not.toHaveProperty('steps');
  });

  test('the last part that says how long to train wins, in epochs or in steps', () => {
    const run = { data: 'a', epochs: 26, steps: 2 }; // as the file of a run has both
    const lengthOf = (...parts: readonly PartialConfig[]) => {
      const { epochs, steps } = resolveConfig(...parts);
      return [epochs, steps];
    };
    expect(lengthOf(run)).toEqual([26, 2]);
    expect(lengthOf(run, {})).toEqual([26, 2]);
    expect(lengthOf(run, { epochs: 3 })).toEqual([3, undefined]);
    expect(resolveConfig(run, { epochs: 3 })).not.toHaveProperty('steps');
    expect(lengthOf(run, { epochs: 3 }, { steps: 5 })).toEqual([3, 5]);
    expect(lengthOf({ data: 'a', epochs: 3 }, { steps: 5 })).toEqual([3, 5]);
    expect(lengthOf({ data: 'a', preset: 'few' }, { epochs: 3 })).toEqual([3, undefined]);
    expect(lengthOf({ data: 'a', epochs: 3 }, { preset: 'few' })).toEqual([3, undefined]); // a preset comes first
    expect(lengthOf({ data: 'a', steps: 7 }, { preset: 'few' })).toEqual([26, 7]);
  });

  test("torchvision's rate is scaled with the images of a step", () => {
    expect(learningRateOf(resolveConfig({ data: 'a', batchSize: 16 }))).toBe(0.02);
    expect(learningRateOf(resolveConfig({ data: 'a', batchSize: 2, accumulate: 4 }))).toBe(0.01);
    expect(learningRateOf(resolveConfig({ data: 'a', learningRate: 0.3 }))).toBe(0.3);
  });

  test('without data there is nothing to do', () => {
    expect(() => resolveConfig({ epochs: 3 })).toThrowError(/no data are given.*mask-rcnn train/);
  });

  test.each(Object.keys(presets))('the preset %s is valid', (preset) => {
    expect(resolveConfig({ data: 'a', preset }).data).toBe('a');
    expect(parse(JSON.stringify(presets[preset]!.changes))).toEqual(presets[preset]!.changes);
  });
});

describe("the model's options", () => {
  test('come from the preset and from each part, option by option', () => {
    const config = resolveConfig(
      { data: 'a', preset: 'balloon', model: { proposals: 5 } },
      { model: { roisPerImage: 7 } },
    );
    expect(config.model).toMatchObject({ minSize: [640, 672, 704, 736, 768, 800], proposals: 5, roisPerImage: 7 });
  });

  test('under their former names they are taken over, and one note says so', () => {
    const parts = [parse('data: a\nminSize: 64\nproposals: 50\ntrainableLayers: 2'), { minSize: 96 }];
    expect(resolveConfig(...parts)).not.toHaveProperty('minSize');
    expect(resolveConfig(...parts).model).toEqual({ minSize: 96, proposals: 50, trainableStages: 2 });
    expect(formerNote(...parts)).toMatch(
      /trainableLayers is model\.trainableStages, minSize is model\.minSize, proposals/,
    );
    expect(formerNote({ data: 'a', model: { minSize: 96 } })).toBeUndefined();
    expect(() => parse('proposals: many')).toThrowError(/1:12/);
  });

  test("who names one size means training too: the preset's own size for it goes", () => {
    const sizes = (model: Record<string, JsonValue>) => {
      const { trainMinSize, minSize } = resolveConfig({ data: 'a', preset: 'few', model }).model;
      return [trainMinSize, minSize];
    };
    expect(sizes({})).toEqual([384, 800]);
    expect(sizes({ minSize: 512 })).toEqual([undefined, 512]);
    expect(sizes({ minSize: 512, trainMinSize: 256 })).toEqual([256, 512]);
    expect(sizes({ trainMinSize: 256 })).toEqual([256, 800]);
  });

  test("a preset's own are left out where the architecture is another that lacks them", () => {
    expect(resolveConfig({ data: 'a', preset: 'balloon', arch: 'mine' }).model).toEqual({});
  });

  const check = (model: Record<string, JsonValue>, arch = 'maskrcnn_small') =>
    architectureOf(resolveConfig({ data: 'a', arch, model }), architectures);

  test.each([
    [{ proposal: 5 }, /model\.proposal\): there is no option 'proposal'; did you mean 'proposals'\?/],
    [{ proposals: 0 }, /model\.proposals/],
    [{ minSize: [], maxSize: 'wide' }, /2 problems[\s\S]*model\.maxSize[\s\S]*model\.minSize/],
  ])('%j is refused by the architecture', (model, message) => {
    expect(() => check(model as unknown as Record<string, JsonValue>)).toThrowError(message);
    expect(() => check(model as unknown as Record<string, JsonValue>)).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
    );
  });

  test('an architecture that is not in the list is refused with all that are', () => {
    expect(() => check({}, 'maskrcnn_tiny')).toThrowError(/maskrcnn_tiny.*no such architecture.*maskrcnn_small/);
    expect(check({ minSize: 64 }).name).toBe('maskrcnn_small');
  });
});

test('the published JSON schema is the one in use (UPDATE_SCHEMA=1 writes it)', () => {
  const file = new URL('../schema/train.schema.json', import.meta.url);
  if (process.env.UPDATE_SCHEMA === '1') writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
});
