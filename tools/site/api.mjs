// The API of every entry point, from the types that users get: what is built, not what is written.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application } from 'typedoc';

/** Every entry with types: `@rcnn/coco-data/node` and its file. */
function entryPoints(root) {
  return readdirSync(join(root, 'packages')).flatMap((folder) => {
    const path = join(root, 'packages', folder);
    if (!existsSync(join(path, 'package.json'))) return [];
    const { name, exports = {} } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    return Object.entries(exports).flatMap(([entry, target]) =>
      typeof target === 'object' && target.types !== undefined
        ? [{ name: `${name}${entry.slice(1)}`, file: join(path, target.types) }]
        : [],
    );
  });
}

/** Writes `api/**.md`, of the entry points whose name holds `only`; gives their number. */
export async function writeApi(root, pages, only = '') {
  const entries = entryPoints(root).filter(({ name }) => name.includes(only));
  const missing = entries.filter(({ file }) => !existsSync(file));
  if (missing.length > 0) throw new Error(`not built: ${missing.map(({ name }) => name).join(', ')}`);
  const app = await Application.bootstrapWithPlugins({
    entryPoints: entries.map(({ file }) => file),
    tsconfig: join(root, 'tools', 'site', 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    outputs: [{ name: 'markdown', path: join(pages, 'api') }],
    router: 'module',
    entryFileName: 'index',
    readme: 'none',
    name: 'API',
    logLevel: 'Warn',
    skipErrorChecking: true,
    disableSources: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeInternal: true,
    excludeExternals: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    hideGroupHeadings: false,
    useCodeBlocks: true,
    expandObjects: false,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    enumMembersFormat: 'table',
    indexFormat: 'table',
    validation: { notExported: false, invalidLink: false, invalidPath: false, notDocumented: false },
    sort: ['kind', 'alphabetical'],
  });
  const points = app.getEntryPoints() ?? [];
  for (const point of points) {
    const file = point.sourceFile.fileName.replaceAll('\\', '/');
    const entry = entries.find((one) => one.file.replaceAll('\\', '/') === file);
    point.displayName = entry.name;
  }
  const project = app.converter.convert(points);
  if (app.logger.hasErrors()) throw new Error('typedoc cannot read the types');
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error('typedoc cannot write the API');
  nameOptions(join(pages, 'api'));
  return points.length;
}

/** Options that a function takes apart at once have no name in its type. */
function nameOptions(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = join(folder, name);
    if (!file.endsWith('.md')) continue;
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('__namedParameters', 'options'));
  }
}
