// Makes the skeleton that the workspace test asks of every package:
//   npm run new-package -- my-block "What it is, in one sentence."
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, description] = process.argv.slice(2);
if (!name || !/^[a-z][a-z0-9-]*$/.test(name) || !description) {
  console.error('usage: npm run new-package -- <kebab-case-name> "<one sentence>"');
  process.exit(2);
}
const dir = join(root, 'packages', name);
if (existsSync(dir)) {
  console.error(`packages/${name} exists already; choose another name or edit it there.`);
  process.exit(2);
}

const json = (value) => `${JSON.stringify(value, null, 2)}\n`;
const files = {
  'package.json': json({
    name: `@rcnn/${name}`,
    version: '0.0.0',
    description,
    license: 'MIT',
    type: 'module',
    engines: { node: '>=20.19' },
    sideEffects: false,
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
    files: ['dist', 'src', 'README.md', 'CHANGELOG.md'],
    publishConfig: { access: 'public' },
    scripts: { build: 'tsc -b', test: 'vitest run --root . --config ../../vitest.config.ts' },
    dependencies: { '@rcnn/core': 'workspace:^' },
    peerDependencies: { '@tensorflow/tfjs-core': '^4.22.0' },
    devDependencies: {
      '@tensorflow/tfjs-backend-cpu': 'catalog:',
      '@tensorflow/tfjs-core': 'catalog:',
      vitest: 'catalog:',
    },
  }),
  'tsconfig.json': json({
    extends: '../../tsconfig.base.json',
    compilerOptions: { rootDir: 'src', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
    include: ['src'],
    references: [{ path: '../core' }],
  }),
  'test/tsconfig.json': json({
    extends: '../../../tsconfig.test.json',
    include: ['.', '../bench'],
    references: [{ path: '..' }],
  }),
  'README.md': `# @rcnn/${name}\n\n${description}\n`,
  'src/index.ts': 'export {};\n',
};
for (const [file, text] of Object.entries(files)) {
  mkdirSync(join(dir, file, '..'), { recursive: true });
  writeFileSync(join(dir, file), text);
}
spawnSync(process.execPath, [join(root, 'scripts', 'metadata.mjs')], { stdio: 'inherit' });
console.log(`packages/${name} is laid out. Next: write src/, test/ and README.md; add it to the table of README.md,`);
console.log('to tsconfig.json (references) and, if it sits on a new floor, to tools/workspace/test/floors.ts.');
