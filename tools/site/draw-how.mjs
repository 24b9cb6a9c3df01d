// The pictures of docs/how-it-works.md and of the site's head, drawn from a model at work:
//   node tools/site/draw-how.mjs runs/demo/checkpoints/best.safetensors [seed] [score]   after npm run build, and npm run demo
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = (path) => import(new URL(`../../packages/${path}`, import.meta.url).href);
const { drawShapes } = await built('coco-data/dist/index.js');
const { useEngine } = await built('core/dist/index.js');
const { explain } = await built('mask-rcnn/dist/index.js');
const { loadDetector } = await built('mask-rcnn/dist/node.js');
const visualize = await built('visualize/dist/index.js');
const { createCanvas, encodePng } = await built('visualize/dist/node.js');
const { boxAnnotator, contourAnnotator, drawPanel, drawSheet, everything, labelAnnotator, maskAnnotator } = visualize;

const [weights, seed = '40', score = '0.5'] = process.argv.slice(2);
if (weights === undefined)
  throw new Error('which weights? node tools/site/draw-how.mjs runs/demo/checkpoints/best.safetensors');
await useEngine('auto');
const { model, profile } = await loadDetector(weights);
const names = new Map(profile.classes.map(({ label, name }) => [label, name]));

// A drawing that the demo did not learn from, of the demo's kind: a few shapes of middle size.
const scene = { size: [128, 176], objects: [2, 4], radius: [0.14, 0.24], tiny: 0, turn: 0.3 };
const { image } = drawShapes(1000, Number(seed), scene);
const steps = new Map(
  (await explain(model, image, { scoreThreshold: Number(score) })).map((step) => [step.name, step]),
);

const boxes = [boxAnnotator({ lineWidth: 2 })];
const HOW = {
  anchors: [boxAnnotator({ lineWidth: 1.5 })],
  proposals: boxes,
  detections: [boxAnnotator({ lineWidth: 2 }), labelAnnotator()],
  RoIAlign: [boxAnnotator({ lineWidth: 0.8 })],
  result: everything(),
};

/** A step as a panel with its name and shape over it. */
function panel(name) {
  const { image: picture, shape, objects } = steps.get(name);
  return { title: `${name}  [${shape.join(', ')}]`, image: picture, objects, annotators: HOW[name] ?? [] };
}

function write(file, panels, { columns = panels.length, panelSide = 400, colorBy = 'instance' } = {}) {
  const sheet = drawSheet(createCanvas, panels, { columns, panelSide, names, colorBy });
  writeFileSync(fileURLToPath(new URL(`../../docs/pictures/${file}.png`, import.meta.url)), encodePng(sheet));
}

write('how-1-batch', [panel('image'), panel('batch')]);
write('how-2-pyramid', ['image', 'P2', 'P3', 'P4', 'P5', 'P6'].map(panel), { columns: 3, panelSide: 300 });
write('how-3-anchors', [panel('anchors')], { colorBy: 'class', panelSide: 560 });
write('how-4-proposals', ['objectness', 'proposals'].map(panel));
write('how-5-roialign', ['RoIAlign', 'regions'].map(panel), { colorBy: 'class' });
write('how-6-heads', ['detections', 'masks'].map(panel));
write('how-7-result', [panel('result')], { panelSide: 560 });

const { image: picture, objects } = steps.get('result');
const annotators = [
  maskAnnotator({ opacity: 0.45 }),
  contourAnnotator(),
  boxAnnotator({ lineWidth: 1.5 }),
  labelAnnotator(),
];
const hero = drawPanel(createCanvas, { image: picture, objects, annotators }, 3, { names });
writeFileSync(fileURLToPath(new URL('../../docs/pictures/hero.png', import.meta.url)), encodePng(hero));
for (const { name, shape, about } of steps.values())
  console.log(name.padEnd(12), `[${shape.join(', ')}]`.padEnd(20), about);
model.dispose();
