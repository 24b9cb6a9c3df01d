import '@rcnn/tfjs-backend-onnxruntime';
import { Random, seedLayers, useEngine } from 'mask-rcnn';
import { buildModel, trainStep } from './train-step.ts';

await useEngine('auto', { task: 'train' });
seedLayers(1);
const model = buildModel();
const random = new Random(2);
for (let step = 0; step < 5; step++) {
  const losses = await trainStep(model, 0.01, random);
  const total = Object.values(losses).reduce((sum, loss) => sum + loss, 0);
  console.log(`step ${step}: ${total.toFixed(3)}`, losses);
}
model.dispose();
