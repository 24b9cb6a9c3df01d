import { computed, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { StudioPicture, StudioProblem } from '../../src/api.ts';
import { api, thumbnailOf } from './api.ts';
import { colorOf } from './colors.ts';
import { Comparison, disagreementWords, errorsOf } from './disagreement.tsx';
import { Outlines } from './outlines.tsx';
import { act, check, classes, dataset, fail, keep, pictures, problems, reload, say } from './state.ts';

/** How pictures are sorted: by a number of each, smallest first. */
const ORDERS = {
  file: { title: 'as they came', by: () => 0 },
  objects: { title: 'most objects first', by: ({ objects }: StudioPicture) => -objects.length },
  few: { title: 'fewest objects first', by: ({ objects }: StudioPicture) => objects.length },
  small: {
    title: 'smallest object first',
    by: ({ objects }: StudioPicture) => leastOf(objects.map(({ area }) => area)),
  },
  problems: {
    title: 'most problems first',
    by: ({ key }: StudioPicture) => -(problemsByPicture.value.get(key) ?? []).length,
  },
  model: { title: 'where a model disagrees most', by: (picture: StudioPicture) => -(errorsOf(picture) ?? -1) },
} as const;

function leastOf(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}

// What is looked for; it stays while other parts of the page are open.
const byClass = signal('');
const bySize = signal('');
const byProblem = signal('');
const order = signal<keyof typeof ORDERS>('file');

const problemsByPicture = computed(() => {
  const found = new Map<string, StudioProblem[]>();
  for (const problem of problems.value) {
    if (problem.picture === undefined) continue;
    found.set(problem.picture, [...(found.get(problem.picture) ?? []), problem]);
  }
  return found;
});

/** The pictures that are looked for, in the order that was asked for. Going on to the next one follows it. */
export const shown = computed<readonly StudioPicture[]>(() => {
  const found = pictures.value.filter((picture) => hasClass(picture) && hasSize(picture) && hasProblem(picture));
  const { by } = ORDERS[order.value];
  const places = new Map(found.map((picture) => [picture, by(picture)]));
  // Not by their difference: infinities have none.
  return found.toSorted((a, b) => Number(places.get(a)! > places.get(b)!) - Number(places.get(a)! < places.get(b)!));
});

/** COCO's bounds: squares of 32 and of 96 pixels. */
const SIZES: Readonly<Record<string, readonly [number, number]>> = {
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, Number.POSITIVE_INFINITY],
};

function hasClass({ objects, split }: StudioPicture): boolean {
  if (byClass.value === '') return true;
  if (byClass.value === 'none') return objects.length === 0;
  if (byClass.value === 'val') return split === dataset.value?.measuredSplit;
  return objects.some(({ classId }) => String(classId) === byClass.value);
}

function hasSize({ objects }: StudioPicture): boolean {
  const [from, to] = SIZES[bySize.value] ?? [];
  return from === undefined || objects.some(({ area }) => area >= from && area < to!);
}

function hasProblem(picture: StudioPicture): boolean {
  if (byProblem.value === '') return true;
  if (byProblem.value === 'model') return (errorsOf(picture) ?? 0) > 0;
  const own = problemsByPicture.value.get(picture.key) ?? [];
  return byProblem.value === 'any' ? own.length > 0 : own.some(({ kind }) => kind === byProblem.value);
}

export function Pictures(): JSX.Element {
  useEffect(() => {
    reload().then(() => check(), fail);
    const drop = dropping();
    return () => drop.stop();
  }, []);
  if (pictures.value.length === 0) return <Welcome />;
  const outlined = pictures.value.filter(({ objects }) => objects.length > 0).length;
  return (
    <>
      <div class="head">
        <div>
          <h1>Pictures</h1>
          <p class="soft">
            {outlined} of {pictures.value.length} outlined · {count(pictures.value.flatMap(({ objects }) => objects))}
          </p>
        </div>
        <div class="row">
          <AddButton />
          <a class="button" href="/api/export/dataset.zip" download="dataset.zip">
            Export COCO
          </a>
        </div>
      </div>
      <Filters />
      <Comparison onDone={() => (order.value = 'model')} />
      <General />
      {shown.value.length === 0 ? <p class="card">No picture is like that.</p> : null}
      <ul class="grid" aria-label="Pictures">
        {shown.value.map((picture) => (
          <Tile key={picture.key} picture={picture} problems={problemsByPicture.value.get(picture.key) ?? []} />
        ))}
      </ul>
    </>
  );
}

function count(objects: readonly unknown[]): string {
  return `${objects.length} ${objects.length === 1 ? 'object' : 'objects'}`;
}

function Welcome(): JSX.Element {
  return (
    <section class="welcome">
      <h1>Drop photographs here</h1>
      <p>
        Eight are enough to begin. Draw around the objects in them, let a model learn, and try it on another photograph.
      </p>
      <AddButton />
      <p class="soft">
        They go to <code>{dataset.value?.folder}</code> and nowhere else.
      </p>
    </section>
  );
}

function AddButton(): JSX.Element {
  return (
    <label class="button main">
      Add photographs
      <input
        class="hidden"
        type="file"
        accept="image/*,.tif,.tiff,.bmp"
        multiple
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          currentTarget.value = '';
          act(() => addAll(files));
        }}
      />
    </label>
  );
}

/** One after the other; one that cannot be used costs itself. */
async function addAll(files: readonly File[]): Promise<void> {
  let added = 0;
  const refused: string[] = [];
  for (const file of files) {
    say(`Adding ${added + 1} of ${files.length} …`);
    try {
      keep(await api.addPicture(file.name, file));
      added++;
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (refused.length > 0) say(`${refused.length} of ${files.length} could not be used. ${refused[0]}`, { wrong: true });
  else say(`${added} ${added === 1 ? 'photograph' : 'photographs'} added.`);
  await check();
}

/** Photographs that are dropped anywhere on the page, or pasted. */
function dropping(): { stop(): void } {
  const { body } = document;
  const over = (event: DragEvent): void => {
    event.preventDefault();
    body.classList.add('dropping');
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) body.classList.remove('dropping');
  };
  const take = (event: DragEvent): void => {
    event.preventDefault();
    body.classList.remove('dropping');
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) act(() => addAll(files));
  };
  const paste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) act(() => addAll(files));
  };
  window.addEventListener('dragover', over);
  window.addEventListener('dragleave', leave);
  window.addEventListener('drop', take);
  window.addEventListener('paste', paste);
  return {
    stop() {
      body.classList.remove('dropping');
      window.removeEventListener('dragover', over);
      window.removeEventListener('dragleave', leave);
      window.removeEventListener('drop', take);
      window.removeEventListener('paste', paste);
    },
  };
}

function Filters(): JSX.Element {
  const kinds = new Map(problems.value.filter(({ picture }) => picture).map(({ kind, title }) => [kind, title]));
  return (
    <form class="filters" aria-label="Which pictures are shown" onSubmit={(event) => event.preventDefault()}>
      <label>
        Class
        <select value={byClass.value} onChange={({ currentTarget }) => (byClass.value = currentTarget.value)}>
          <option value="">all</option>
          <option value="none">nothing outlined</option>
          <option value="val">set aside to measure</option>
          {classes.value.map(({ id, name }) => (
            <option key={id} value={String(id)}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Size
        <select value={bySize.value} onChange={({ currentTarget }) => (bySize.value = currentTarget.value)}>
          <option value="">all</option>
          <option value="small">small: below 32²</option>
          <option value="medium">medium</option>
          <option value="large">large: from 96²</option>
        </select>
      </label>
      <label>
        Problem
        <select value={byProblem.value} onChange={({ currentTarget }) => (byProblem.value = currentTarget.value)}>
          <option value="">all pictures</option>
          <option value="any">any problem</option>
          <option value="model">a model disagrees</option>
          {[...kinds].map(([kind, title]) => (
            <option key={kind} value={kind}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <label>
        Order
        <select
          value={order.value}
          onChange={({ currentTarget }) => (order.value = currentTarget.value as typeof order.value)}
        >
          {Object.entries(ORDERS).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => act(() => check(true))}>
        Check again
      </button>
    </form>
  );
}

/** What the doctor says of no single picture. */
function General(): JSX.Element | null {
  const general = problems.value.filter(({ picture }) => picture === undefined);
  if (general.length === 0) return null;
  return (
    <ul class="card problems" aria-label="Problems of the dataset">
      {general.map(({ severity, title, found }) => (
        <li key={title + found} class={severity}>
          {title}: {found}
        </li>
      ))}
    </ul>
  );
}

interface TileProps {
  readonly picture: StudioPicture;
  readonly problems: readonly StudioProblem[];
}

function Tile({ picture, problems: own }: TileProps): JSX.Element {
  const { key, file, objects, split, width, height } = picture;
  const disagreement = disagreementWords(picture);
  const worst = own.some(({ severity }) => severity === 'error') ? 'error' : 'warning';
  return (
    <li class="tile">
      <a href={`#/outline/${encodeURIComponent(key)}`} aria-label={`${file}: ${count(objects)}. Outline it.`}>
        <span class="frame">
          <img src={thumbnailOf(picture)} alt="" loading="lazy" width={width} height={height} />
          <Outlines picture={picture} />
        </span>
      </a>
      <div class="caption">
        <span class="name" title={file}>
          {file}
        </span>
        <Menu picture={picture} />
      </div>
      <div class="marks">
        {split === dataset.value?.measuredSplit ? <span class="mark-val">to measure</span> : null}
        {own.length > 0 ? (
          <span class={`mark-${worst}`} title={own.map(({ title, found }) => `${title}: ${found}`).join('\n')}>
            {own[0]!.title}
          </span>
        ) : null}
        {disagreement === undefined ? null : (
          <span class="mark-warning" title="What a model sees otherwise">
            {disagreement}
          </span>
        )}
        {objects.length === 0 && own.length === 0 ? <span class="soft">nothing outlined</span> : null}
        {[...new Set(objects.map(({ classId }) => classId))].map((id) => (
          <span key={id} class="mark-class">
            <i class="dot" style={{ background: colorOf(id) }} />
            {classes.value.find((one) => one.id === id)?.name} {objects.filter(({ classId }) => classId === id).length}
          </span>
        ))}
      </div>
    </li>
  );
}

function Menu({ picture }: { readonly picture: StudioPicture }): JSX.Element {
  const { key, file, split } = picture;
  const move = async (): Promise<void> => {
    keep(await api.moveTo(key, split === 'val' ? 'train' : 'val'), key);
    await reload();
    await check();
  };
  const remove = async (): Promise<void> => {
    await api.removePicture(key);
    await reload();
    say(`${file} is in the folder removed/ now.`);
    await check();
  };
  return (
    <details class="menu">
      <summary aria-label={`What to do with ${file}`}>⋯</summary>
      <div class="card">
        {dataset.value?.canSplit === true ? (
          <button type="button" onClick={() => act(move)}>
            {split === 'val' ? 'Learn from it' : 'Set aside to measure'}
          </button>
        ) : null}
        <button type="button" onClick={() => act(remove)}>
          Take it out
        </button>
      </div>
    </details>
  );
}
