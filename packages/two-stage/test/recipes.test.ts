import '@tensorflow/tfjs-backend-cpu';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { memorySource, type TensorEntry } from '@rcnn/checkpoint';
import type { ParameterLayout } from '@rcnn/core';
import { describe, expect, test } from 'vitest';
import {
  architecture,
  architectureOf,
  architectures,
  countParameters,
  maskRcnnResnet50Fpn,
  maskRcnnResnetFpn,
  maskRcnnSmall,
  Random,
  trainableParameters,
  withoutInitialising,
} from '../src/index.ts';

interface Facts {
  readonly tensors: number;
  readonly parameters: number;
  readonly trainable: number;
  readonly sha256: string;
}

const expected = JSON.parse(readFileSync(new URL('fixtures/state-dicts.json', import.meta.url), 'utf8')) as Record<
  string,
  Facts
>;

describe('names and shapes, as in torchvision 0.29.1', () => {
  test.each(Object.keys(expected))('%s', (name) => {
    // The v2 models of the fixture were built without pretrained weights, and then nothing is frozen.
    const model = withoutInitialising(() => architecture(name)({ trainableStages: name.endsWith('_v2') ? 5 : 3 }));
    const lines = [...model.namedParameters()].map(([key, { shape, layout }]) => {
      return `${key} [${torchShape(shape, layout).join(', ')}]`;
    });
    const sum = [...trainableParameters(model).values()].reduce((total, { size }) => total + size, 0);
    expect({
      tensors: lines.length,
      parameters: countParameters(model),
      trainable: sum,
      sha256: createHash('sha256').update(lines.sort().join('\n')).digest('hex'),
    }).toEqual(expected[name]);
    model.dispose();
  });
});

test('the published sizes', () => {
  expect(expected['maskrcnn_resnet50_fpn']).toMatchObject({ tensors: 307, parameters: 44401393, trainable: 44178993 });
  expect(expected['maskrcnn_resnet50_fpn_v2']!.parameters).toBe(46359409);
});

test('every architecture has a name, and a wrong one is told the right ones', () => {
  expect(architectures.size).toBe(183);
  expect(() => architecture('maskrcnn_resnet5_fpn')).toThrow('BODY is one of resnet18');
});

test.each(['maskrcnn_small', 'cascade_small', 'htc_small'])(
  '%s has as many mask convolutions as it is told',
  (name) => {
    const shapesIn = (maskChannels: readonly number[]) => {
      const model = architecture(name)({ numClasses: 3, maskChannels });
      const ofMasks = [...model.namedParameters()].filter(([key]) => /mask_(?:head|flow|predictor).*weight$/.test(key));
      model.dispose();
      return ofMasks.map(([key, { shape }]) => `${key.slice(key.indexOf('mask_'))} ${shape.join('x')}`);
    };
    const stages = name === 'htc_small' ? ['.0', '.1', '.2'] : [''];
    const expected = stages.flatMap((stage) => [
      `mask_head${stage}.0.0.weight 3x3x64x16`,
      `mask_head${stage}.1.0.weight 3x3x16x8`,
      `mask_predictor${stage}.conv5_mask.weight 2x2x64x8`,
      `mask_predictor${stage}.mask_fcn_logits.weight 1x1x64x3`,
      // What the next stage is given of these features has the width of the pyramid.
      ...(stage === '.1' || stage === '.2' ? [`mask_flow${stage}.weight 1x1x8x64`] : []),
    ]);
    expect(shapesIn([16, 8]).sort()).toEqual(expected.sort());
  },
);

test('another number of classes changes the predictors and nothing else', () => {
  const shapes = (numClasses: number): Map<string, string> => {
    const model = withoutInitialising(() => maskRcnnResnet50Fpn({ numClasses }));
    const found = new Map([...model.namedParameters()].map(([name, { shape }]) => [name, shape.join()]));
    model.dispose();
    return found;
  };
  const coco = shapes(91);
  const different = [...shapes(2)].filter(([name, shape]) => coco.get(name) !== shape).map(([name]) => name);
  expect(different).toEqual([
    'roi_heads.box_predictor.cls_score.weight',
    'roi_heads.box_predictor.cls_score.bias',
    'roi_heads.box_predictor.bbox_pred.weight',
    'roi_heads.box_predictor.bbox_pred.bias',
    'roi_heads.mask_predictor.mask_fcn_logits.weight',
    'roi_heads.mask_predictor.mask_fcn_logits.bias',
  ]);
});

test('the same seed gives the same weights', () => {
  const values = (seed: number): Map<string, Float32Array> => {
    const model = maskRcnnSmall({ numClasses: 2, random: new Random(seed) });
    const found = new Map([...model.namedParameters()].map(([name, { value }]) => [name, value.dataSync<'float32'>()]));
    model.dispose();
    return found;
  };
  const [first, second, other] = [values(5), values(5), values(6)];
  const differing = (to: ReadonlyMap<string, Float32Array>): string[] =>
    [...first].filter(([name, array]) => array.some((value, i) => value !== to.get(name)![i])).map(([name]) => name);
  expect(differing(second)).toEqual([]);
  expect(differing(other)).toContain('backbone.body.conv1.weight');
});

// Standard deviations and bounds of fresh torchvision models: spec of the initialisers.
test('first weights have the spread of torchvision’s', () => {
  const model = maskRcnnResnetFpn({ body: 'resnet18', random: new Random(0) });
  const deviation = (name: string): number => {
    const values = model.namedParameters().get(name)!.value.dataSync<'float32'>();
    return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  };
  const bound = (name: string): number =>
    model.namedParameters().get(name)!.value.dataSync<'float32'>().reduce((most, v) => Math.max(most, Math.abs(v)), 0); // biome-ignore format: one expression
  const near = (actual: number, wanted: number): void => expect(Math.abs(actual / wanted - 1)).toBeLessThan(0.05);
  near(deviation('backbone.body.layer1.0.conv1.weight'), Math.sqrt(2 / (64 * 9)));
  near(bound('backbone.fpn.inner_blocks.0.0.weight'), Math.sqrt(3 / 64));
  near(deviation('rpn.head.conv.0.0.weight'), 0.01);
  near(deviation('rpn.head.cls_logits.weight'), 0.01);
  near(bound('roi_heads.box_head.fc6.weight'), 1 / Math.sqrt(12544));
  near(bound('roi_heads.box_head.fc6.bias'), 1 / Math.sqrt(12544));
  near(bound('roi_heads.box_predictor.cls_score.weight'), 0.03125);
  near(deviation('roi_heads.mask_head.0.0.weight'), 0.0295);
  near(deviation('roi_heads.mask_predictor.conv5_mask.weight'), 0.0442);
  near(bound('roi_heads.mask_predictor.conv5_mask.bias'), 0.03125);
  near(deviation('roi_heads.mask_predictor.mask_fcn_logits.weight'), 0.148);
  near(bound('roi_heads.mask_predictor.mask_fcn_logits.bias'), 0.0625);
  for (const name of [
    'backbone.fpn.layer_blocks.0.0.bias',
    'rpn.head.bbox_pred.bias',
    'roi_heads.mask_head.3.0.bias',
  ]) {
    expect(bound(name)).toBe(0);
  }
  model.dispose();
});

function torchShape(shape: readonly number[], layout: ParameterLayout): readonly number[] {
  if (layout === 'same') return shape;
  if (layout === 'conv' || layout === 'transposedConv') return [shape[3]!, shape[2]!, shape[0]!, shape[1]!];
  return [shape[1]!, shape[0]!];
}

test('PointRend has detectron2’s tensors, and is known again by them', async () => {
  const model = withoutInitialising(() => architecture('pointrend_resnet50_fpn')({ numClasses: 81 }));
  const shapes = [...model.namedParameters()].map(
    ([name, { shape, layout }]) => [name, torchShape(shape, layout)] as const,
  );
  const ofHead = shapes.filter(([name]) => name.includes('mask_head'));
  expect(Object.fromEntries(ofHead.filter(([name]) => name.endsWith('.weight')))).toEqual({
    'roi_heads.mask_head.coarse_head.reduce_spatial_dim_conv.weight': [256, 256, 2, 2],
    'roi_heads.mask_head.coarse_head.fc1.weight': [1024, 12544],
    'roi_heads.mask_head.coarse_head.fc2.weight': [1024, 1024],
    'roi_heads.mask_head.coarse_head.prediction.weight': [3920, 1024],
    'roi_heads.mask_head.point_head.fc1.weight': [256, 336],
    'roi_heads.mask_head.point_head.fc2.weight': [256, 336],
    'roi_heads.mask_head.point_head.fc3.weight': [256, 336],
    'roi_heads.mask_head.point_head.predictor.weight': [80, 336],
  });
  expect(shapes).toHaveLength(311);
  const entries = shapes.map(([name, shape]) => ({ name, shape }) as unknown as TensorEntry);
  expect(architectureOf(memorySource(entries, 'names'))).toBe('pointrend_resnet50_fpn');
  model.dispose();
});
