// What every published package says of itself beyond its own sentence: where it comes from, and under which licence.
// All of it follows from the root's package.json, so that it is changed in one place:
//   npm run metadata
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { repository, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const page = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');

/** Words under which people look for what the whole project does. */
const COMMON = ['tensorflowjs', 'tfjs', 'instance-segmentation', 'object-detection', 'mask-rcnn', 'typescript'];

for (const parent of ['packages', 'natives']) {
  for (const name of readdirSync(join(root, parent))) {
    const path = join(root, parent, name);
    const file = join(path, 'package.json');
    if (!existsSync(file)) continue;
    const { name: packageName, version, description, keywords, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    const own = (keywords ?? [name]).filter((word) => !COMMON.includes(word));
    for (const key of ['license', 'repository', 'homepage', 'bugs']) delete rest[key];
    const manifest = {
      name: packageName,
      version,
      description,
      keywords:
        parent === 'packages' ? [...own, ...COMMON] : ['onnxruntime', 'native', ...own.filter((w) => w === name)],
      license,
      repository: { ...repository, directory: `${parent}/${name}` },
      homepage: `${page}/tree/main/${parent}/${name}#readme`,
      bugs: `${page}/issues`,
      ...rest,
    };
    writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
    if (parent === 'packages') copyFileSync(join(root, 'LICENSE'), join(path, 'LICENSE')); // onnxruntime has its own
  }
}
