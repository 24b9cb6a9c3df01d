/** What makes one ResNet another. */
export interface ResNetShape {
  /** Two 3x3 convolutions, or 1x1, 3x3, 1x1 with four times as many channels at the end. */
  readonly block: 'basic' | 'bottleneck';
  /** Blocks in each stage. */
  readonly blocks: readonly number[];
  /** Groups of the 3x3 convolution of a bottleneck (ResNeXt). Default 1. */
  readonly groups?: number;
  /** Channels of each group in the first stage; 64 is the plain ResNet. Default 64. */
  readonly widthPerGroup?: number;
}

export type ResNetDepth = 18 | 34 | 50 | 101 | 152;

export type ResNetName =
  | 'resnet18'
  | 'resnet34'
  | 'resnet50'
  | 'resnet101'
  | 'resnet152'
  | 'resnext50_32x4d'
  | 'resnext101_32x8d'
  | 'resnext101_64x4d'
  | 'wide_resnet50_2'
  | 'wide_resnet101_2';

/**
 * The published networks by torchvision's names: `new ResNet(resnets.resnext50_32x4d)`.
 * @see He et al. 2015, table 1 (arXiv:1512.03385); Xie et al. 2016, table 1 (arXiv:1611.05431); Zagoruyko and
 * Komodakis 2016 (arXiv:1605.07146)
 */
export const resnets: Readonly<Record<ResNetName, ResNetShape>> = {
  resnet18: { block: 'basic', blocks: [2, 2, 2, 2] },
  resnet34: { block: 'basic', blocks: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', blocks: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', blocks: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', blocks: [3, 8, 36, 3] },
  resnext50_32x4d: { block: 'bottleneck', blocks: [3, 4, 6, 3], groups: 32, widthPerGroup: 4 },
  resnext101_32x8d: { block: 'bottleneck', blocks: [3, 4, 23, 3], groups: 32, widthPerGroup: 8 },
  resnext101_64x4d: { block: 'bottleneck', blocks: [3, 4, 23, 3], groups: 64, widthPerGroup: 4 },
  wide_resnet50_2: { block: 'bottleneck', blocks: [3, 4, 6, 3], widthPerGroup: 128 },
  wide_resnet101_2: { block: 'bottleneck', blocks: [3, 4, 23, 3], widthPerGroup: 128 },
};

/** The plain ResNet of a depth. */
export function resnetOfDepth(depth: ResNetDepth): ResNetShape {
  return resnets[`resnet${depth}`];
}

/**
 * Which of these networks a file's tensors are; undefined when they are none.
 * @param shapeOf shape of a tensor in PyTorch's layout, by the network's own name of it: `layer1.0.conv1.weight`
 */
export function resnetNameOf(shapeOf: (name: string) => readonly number[] | undefined): ResNetName | undefined {
  const blocks = [1, 2, 3, 4].map((stage) => {
    let count = 0;
    while (shapeOf(`layer${stage}.${count}.conv1.weight`) !== undefined) count++;
    return count;
  });
  const [width, perGroup] = shapeOf('layer1.0.conv2.weight') ?? [0, 0];
  const block = shapeOf('layer1.0.conv3.weight') ? 'bottleneck' : 'basic';
  return (Object.keys(resnets) as ResNetName[]).find((name) => {
    const { groups = 1, widthPerGroup = 64, ...shape } = resnets[name];
    const sameWidth = width === widthPerGroup * groups && perGroup === widthPerGroup;
    return shape.block === block && shape.blocks.join() === blocks.join() && sameWidth;
  });
}

/** The body of this toolkit's small recipes, which train on a CPU while you watch: one block a stage, all of it learns. */
export const smallBody = {
  body: 'resnet18',
  blocks: [1, 1, 1, 1],
  norm: 'batch',
  trainableStages: 5,
} as const;
