// torchvision's recipe on any COCO folder:  node dist/main.js path/to/coco [--epochs 12 --batchSize 4 …]
import { parseArgs } from 'node:util';
import { consoleProgress, type PartialConfig, parseConfig, type TrainResult, train } from '@rcnn/train';

/**
 * `data` holds `annotations/instances_train*.json`, `annotations/instances_val*.json` and the images. Everything else
 * is the published recipe: SGD at 0.02 for 16 images, scaled to yours; 26 epochs with drops after 16 and 22; warm-up in
 * the first epoch; flips; ResNet-50 FPN.
 */
export async function trainCoco(data: string, changes: PartialConfig = {}): Promise<TrainResult> {
  const result = await train(
    {
      data,
      preset: 'torchvision',
      arch: 'maskrcnn_resnet50_fpn',
      name: 'coco',
      ...changes,
    },
    { onEvent: consoleProgress() },
  );
  console.log(`mask AP ${result.scores?.['segm/AP']?.toFixed(3)}; see ${result.folder.report}`);
  return result;
}

if (process.argv[1] === import.meta.filename) {
  const { positionals, values } = parseArgs({ strict: false, allowPositionals: true });
  // Options by their names, read as YAML: --learningRate=0.01 --steps=500
  const changes = Object.entries(values).map(([name, value]) => `${name}: ${value}`);
  await trainCoco(positionals[0] ?? 'data/coco', parseConfig(changes.join('\n'), 'command line'));
}
