import { type ResNetName, resnets } from '@rcnn/backbone-resnet';
import { RcnnError } from '@rcnn/core';
import {
  fasterRcnnMobileNetV3Large320Fpn,
  fasterRcnnMobileNetV3LargeFpn,
  maskRcnnMobileNetV3Large320Fpn,
  maskRcnnMobileNetV3LargeFpn,
} from './mobile-net-fpn.ts';
import { vggRecipes } from './on-vgg.ts';
import {
  cascadeMaskRcnnResnetFpn,
  cascadeRcnnResnetFpn,
  cascadeSmall,
  fasterRcnnResnetFpn,
  htcResnetFpn,
  htcSmall,
  keypointRcnnResnetFpn,
  keypointRcnnSmall,
  maskRcnnResnetFpn,
  maskRcnnSmall,
  pointRendResnetFpn,
  pointRendSmall,
  type Recipe,
} from './recipes.ts';
import { rfcnResnet } from './rfcn.ts';
import { singleMapRecipes } from './single-map.ts';

/**
 * Every recipe by torchvision's name: `maskrcnn_resnet50_fpn`, `fasterrcnn_resnet50_fpn_v2`, and the same pattern for
 * the other networks, `maskrcnn_resnext101_32x8d_fpn`.
 */
export const architectures: ReadonlyMap<string, Recipe> = new Map<string, Recipe>([
  ...(Object.keys(resnets) as ResNetName[]).flatMap((body): [string, Recipe][] => [
    [`maskrcnn_${body}_fpn`, (options) => maskRcnnResnetFpn({ ...options, body, version: 1 })],
    [`maskrcnn_${body}_fpn_v2`, (options) => maskRcnnResnetFpn({ ...options, body, version: 2 })],
    [`fasterrcnn_${body}_fpn`, (options) => fasterRcnnResnetFpn({ ...options, body, version: 1 })],
    [`fasterrcnn_${body}_fpn_v2`, (options) => fasterRcnnResnetFpn({ ...options, body, version: 2 })],
    [`keypointrcnn_${body}_fpn`, (options) => keypointRcnnResnetFpn({ ...options, body, version: 1 })],
    [`cascade_maskrcnn_${body}_fpn`, (options) => cascadeMaskRcnnResnetFpn({ ...options, body, version: 1 })],
    [`cascade_rcnn_${body}_fpn`, (options) => cascadeRcnnResnetFpn({ ...options, body, version: 1 })],
    [`htc_${body}_fpn`, (options) => htcResnetFpn({ ...options, body, version: 1 })],
    [`pointrend_${body}_fpn`, (options) => pointRendResnetFpn({ ...options, body, version: 1 })],
    [`rfcn_${body}`, (options) => rfcnResnet({ ...options, body, version: 1 })],
    ...singleMapRecipes.map(([task, map, recipe]): [string, Recipe] => [
      `${task}_${body}_${map}`,
      (options) => recipe({ ...options, body, version: 1 }),
    ]),
  ]),

  ['fasterrcnn_mobilenet_v3_large_fpn', fasterRcnnMobileNetV3LargeFpn],
  ['fasterrcnn_mobilenet_v3_large_320_fpn', fasterRcnnMobileNetV3Large320Fpn],
  ['maskrcnn_mobilenet_v3_large_fpn', maskRcnnMobileNetV3LargeFpn],
  ['maskrcnn_mobilenet_v3_large_320_fpn', maskRcnnMobileNetV3Large320Fpn],
  ...vggRecipes,
  ['maskrcnn_small', maskRcnnSmall],
  ['cascade_small', cascadeSmall],
  ['keypointrcnn_small', keypointRcnnSmall],
  ['htc_small', htcSmall],
  ['pointrend_small', pointRendSmall],
]);

/** The recipe of a name. @throws INVALID_ARGUMENT listing the common names */
export function architecture(name: string): Recipe {
  const recipe = architectures.get(name);
  if (recipe !== undefined) return recipe;
  throw new RcnnError('INVALID_ARGUMENT', {
    where: 'architecture',
    place: name,
    problem: 'no such architecture',
    expected:
      'maskrcnn_BODY_fpn, maskrcnn_BODY_fpn_v2, fasterrcnn_BODY_fpn, fasterrcnn_BODY_fpn_v2, keypointrcnn_BODY_fpn, cascade_maskrcnn_BODY_fpn, cascade_rcnn_BODY_fpn, htc_BODY_fpn, pointrend_BODY_fpn, or c4, dc5, c5 instead of fpn, or rfcn_BODY, or fasterrcnn_, maskrcnn_ before mobilenet_v3_large_fpn, mobilenet_v3_large_320_fpn, vgg16, vgg16_bn',
    hint: `BODY is one of ${Object.keys(resnets).join(', ')}; or take maskrcnn_small, keypointrcnn_small, cascade_small, htc_small or pointrend_small.`,
  });
}
