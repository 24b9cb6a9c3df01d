import { memoryEntry, type TensorEntry } from '../src/index.ts';

/** Random tensors by the names and shapes of torchvision's `maskrcnn_resnet50_fpn`: 307, of 44.5 million numbers. */
export function detectorTensors(): TensorEntry[] {
  const shapes = new Map<string, number[]>();
  const norm = (name: string, channels: number) => {
    for (const leaf of ['weight', 'bias', 'running_mean', 'running_var']) shapes.set(`${name}.${leaf}`, [channels]);
  };
  const layer = (name: string, shape: number[], outChannels = shape[0]!) => {
    shapes.set(`${name}.weight`, shape);
    shapes.set(`${name}.bias`, [outChannels]);
  };
  const body = 'backbone.body';
  shapes.set(`${body}.conv1.weight`, [64, 3, 7, 7]);
  norm(`${body}.bn1`, 64);
  let channels = 64;
  [3, 4, 6, 3].forEach((blocks, stage) => {
    const planes = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const at = `${body}.layer${stage + 1}.${block}`;
      shapes.set(`${at}.conv1.weight`, [planes, channels, 1, 1]);
      shapes.set(`${at}.conv2.weight`, [planes, planes, 3, 3]);
      shapes.set(`${at}.conv3.weight`, [4 * planes, planes, 1, 1]);
      [planes, planes, 4 * planes].forEach((width, i) => norm(`${at}.bn${i + 1}`, width));
      if (block === 0) {
        shapes.set(`${at}.downsample.0.weight`, [4 * planes, channels, 1, 1]);
        norm(`${at}.downsample.1`, 4 * planes);
      }
      channels = 4 * planes;
    }
    layer(`backbone.fpn.inner_blocks.${stage}.0`, [256, channels, 1, 1]);
    layer(`backbone.fpn.layer_blocks.${stage}.0`, [256, 256, 3, 3]);
    layer(`roi_heads.mask_head.${stage}.0`, [256, 256, 3, 3]);
  });
  layer('rpn.head.conv.0.0', [256, 256, 3, 3]);
  layer('rpn.head.cls_logits', [3, 256, 1, 1]);
  layer('rpn.head.bbox_pred', [12, 256, 1, 1]);
  layer('roi_heads.box_head.fc6', [1024, 12544]);
  layer('roi_heads.box_head.fc7', [1024, 1024]);
  layer('roi_heads.box_predictor.cls_score', [91, 1024]);
  layer('roi_heads.box_predictor.bbox_pred', [364, 1024]);
  layer('roi_heads.mask_predictor.conv5_mask', [256, 256, 2, 2], 256);
  layer('roi_heads.mask_predictor.mask_fcn_logits', [91, 256, 1, 1]);
  return [...shapes].map(([name, shape], seed) => memoryEntry(name, 'float32', shape, noise(shape, seed)));
}

/** Quick, and unlike zeros not to be shared by the operating system. */
function noise(shape: readonly number[], seed: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
  let word = seed + 1;
  for (let i = 0; i < values.length; i++) {
    word = (Math.imul(word, 1664525) + 1013904223) | 0;
    values[i] = word / 2 ** 36;
  }
  return values;
}
