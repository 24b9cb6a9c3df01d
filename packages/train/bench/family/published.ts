/** What the owners of a method say of it at its usual size; nothing of it was measured here. */
export interface Published {
  readonly model: string;
  /** Masks on COCO val2017 unless said otherwise. */
  readonly ap: string;
  /** Of one picture, on the graphics card named. */
  readonly seconds: string;
  readonly source: string;
}

/** By the name of the small architecture. */
export const published: Readonly<Record<string, Published>> = {
  maskrcnn_small: { model: 'R50-FPN, 1x / 3x', ap: '35.2 / 37.2', seconds: '43 ms, V100', source: 'detectron2' },
  cascade_small: { model: 'R50-FPN, 1x / 3x', ap: '36.4 / 38.5', seconds: '52 ms, V100', source: 'detectron2' },
  htc_small: { model: 'R50-FPN, 1x / 20 epochs', ap: '37.4 / 38.3', seconds: '172 ms, V100', source: 'mmdetection' },
  pointrend_small: { model: 'R50-FPN, 1x / 3x', ap: '36.2 / 38.3', seconds: '', source: 'detectron2' },
  yolact_small: { model: 'R50, 550 pixels', ap: '28.2 (test-dev)', seconds: '24 ms, Titan Xp', source: 'its authors' },
  yolact_plus_small: {
    model: 'R50, 550 pixels',
    ap: '34.1 (test-dev)',
    seconds: '30 ms, Titan Xp',
    source: 'its authors',
  },
  solov2_small: { model: 'R50-FPN, 1x / 3x', ap: '34.8 / 37.5', seconds: '54 ms, V100', source: 'its authors' },
  retinanet_small: { model: 'R50-FPN, v1 / v2', ap: '36.4 / 41.5 (boxes)', seconds: '', source: 'torchvision' },
  keypointrcnn_small: {
    model: 'R50-FPN, 1x / 3x',
    ap: '64.0 / 65.5 (key points)',
    seconds: '72, 66 ms, V100',
    source: 'detectron2',
  },
};
