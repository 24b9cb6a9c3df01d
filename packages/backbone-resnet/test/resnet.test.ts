import '@tensorflow/tfjs-backend-cpu';
import { BatchNorm, trainableParameters, valueAndGradients, withoutInitialising } from '@rcnn/core';
import { expectClose } from '@rcnn/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { ResNet, type ResNetOptions, resnets } from '../src/index.ts';

const tiny = { planes: [4, 4, 8, 8], stemChannels: 4, blocks: [1, 1, 1, 1] } satisfies ResNetOptions;
const images = (): tf.Tensor4D => tf.randomUniform([1, 33, 45, 3], -1, 1, 'float32', 7);

describe('trainable stages count from the top', () => {
  test.each([
    [0, []],
    [1, ['layer4']],
    [3, ['layer2', 'layer3', 'layer4']],
    [4, ['layer1', 'layer2', 'layer3', 'layer4']],
    [5, ['bn1', 'conv1', 'layer1', 'layer2', 'layer3', 'layer4']],
  ])('%i', (trainableStages, parts) => {
    const network = new ResNet({ ...tiny, trainableStages, norm: 'batch' });
    const learning = new Set([...trainableParameters(network).keys()].map((name) => name.split('.')[0]));
    expect([...learning].sort()).toEqual(parts);
    network.dispose();
  });
});

test('frozen stages leave nothing on the tape, the others what they need', async () => {
  const kept = async (trainableStages: number): Promise<number> => {
    const network = new ResNet({ ...tiny, trainableStages });
    const x = images();
    network.forward(x).forEach((map) => map.dispose()); // folds the frozen norms
    const before = tf.memory().numTensors;
    let during = 0;
    const { loss, gradients } = await valueAndGradients(() => {
      const maps = network.forward(x, 'train');
      const sum = tf.addN(maps.map((map) => tf.sum(map)));
      tf.dispose([...maps]);
      during = tf.memory().numTensors - before;
      return { loss: sum };
    }, trainableParameters(network));
    tf.dispose([loss, x, ...gradients.values()]);
    network.dispose();
    return during;
  };
  const [none, two, all] = [await kept(0), await kept(2), await kept(5)];
  expect(none).toBeLessThan(two);
  expect(two).toBeLessThan(all * 0.7);
});

test('a frozen norm folded into its convolution gives what the norm by itself gives', () => {
  const random = (network: ResNet): void => {
    for (const [name, parameter] of network.namedParameters()) {
      const [low, high] = name.endsWith('running_var') ? [0.5, 1.5] : [-0.5, 0.5];
      parameter.assign(tf.randomUniform([...parameter.shape], low, high, 'float32', name.length));
    }
  };
  const folded = new ResNet({ ...tiny, norm: 'frozen' });
  const apart = new ResNet({
    ...tiny,
    norm: (channels) => Object.assign(new BatchNorm(channels), { affine: () => undefined }),
  });
  random(folded);
  random(apart);
  const x = images();
  const expected = apart.forward(x);
  for (const [i, map] of folded.forward(x).entries()) {
    expectClose(map, expected[i]!, { absolute: 1e-5 * tf.max(tf.abs(map)).dataSync()[0]!, relative: 1e-4 });
  }
});

test('the stride in the 1x1 skips cells that the stride in the 3x3 sees', () => {
  const shapes = (strideIn: '1x1' | '3x3'): number[][] => {
    const network = withoutInitialising(() => new ResNet({ ...tiny, strideIn }));
    return network.forward(images()).map(({ shape }) => [...shape]);
  };
  expect(shapes('1x1')).toEqual(shapes('3x3'));
});

test('networks that stop early have no later parameters', () => {
  const network = new ResNet({ ...tiny, outputStages: [2] });
  expect(network.outputs).toEqual([{ stride: 8, channels: 16 }]);
  expect([...network.namedParameters().keys()].some((name) => name.startsWith('layer3'))).toBe(false);
});

test('ResNeXt has grouped filters, Wide ResNet wide ones', () => {
  const filter = (options: ResNetOptions): readonly number[] => {
    const network = withoutInitialising(() => new ResNet({ ...options, outputStages: [1] }));
    return network.namedParameters().get('layer1.0.conv2.weight')!.shape;
  };
  expect(filter(resnets.resnext50_32x4d)).toEqual([3, 3, 4, 128]);
  expect(filter(resnets.resnext101_64x4d)).toEqual([3, 3, 4, 256]);
  expect(filter(resnets.wide_resnet50_2)).toEqual([3, 3, 128, 128]);
});

test.each([
  [{ blocks: [] }, 'blocks'],
  [{ blocks: [1, 0] }, 'blocks'],
  [{ planes: [8] }, 'planes'],
  [{ outputStages: [] }, 'outputStages'],
  [{ outputStages: [1, 1] }, 'outputStages'],
  [{ outputStages: [5] }, 'outputStages'],
  [{ trainableStages: 6 }, 'trainableStages'],
  [{ norm: 'layer' as 'batch' }, 'norm'],
])('%o is refused', (options, place) => {
  expect(() => new ResNet(options)).toThrow(`ResNet (${place})`);
});

test('images that are not RGB are refused', () => {
  const network = withoutInitialising(() => new ResNet(tiny));
  expect(() => network.forward(tf.zeros([1, 8, 8, 4]))).toThrow('not a batch of RGB images; found [1,8,8,4]');
});
