import type { Architecture } from './architecture.ts';
import { rcnnArchitectures } from './rcnn/rcnn.ts';
import { retinaNetArchitectures } from './retinanet/retinanet.ts';
import { soloArchitectures } from './solo/solo.ts';
import { yolactArchitectures } from './yolact/yolact.ts';

/**
 * Every architecture of this toolkit, the usual one first. Yours come in beside them:
 * `train(config, { architectures: [...architectures, mine] })`.
 */
export const architectures: readonly Architecture[] = usualFirst('maskrcnn_resnet50_fpn', [
  ...rcnnArchitectures,
  ...retinaNetArchitectures,
  ...soloArchitectures,
  ...yolactArchitectures,
]);

function usualFirst(name: string, all: readonly Architecture[]): Architecture[] {
  return all.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
}
