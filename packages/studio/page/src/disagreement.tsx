import { computed, signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Disagreement, StudioPicture } from '../../src/api.ts';
import { api } from './api.ts';
import { ModelChoice } from './model-choice.tsx';
import { pictures, say } from './state.ts';

// What a model was found to see otherwise; it stays while other parts of the page are open.
const found = signal<ReadonlyMap<string, Disagreement>>(new Map());
/** Pictures that it has looked at in the comparison that goes on now. */
const looked = signal<number | undefined>(undefined);
let stopped = false;

/** Those that were compared as they are now: an edit makes an answer stale. */
const current = computed<ReadonlyMap<string, Disagreement>>(() => {
  const list = pictures.value.map(({ key, revision }) => ({ key, revision, own: found.value.get(key) }));
  return new Map(list.flatMap(({ key, revision, own }) => (own?.revision === revision ? [[key, own] as const] : [])));
});

/** Errors of a picture, on one side or the other; undefined where no model was asked. */
export function errorsOf({ key }: StudioPicture): number | undefined {
  const own = current.value.get(key);
  return own && own.missed + own.extra + own.twice + own.otherClass + own.otherOutline;
}

/** `2 missed, 1 extra`; undefined where there is nothing to say. */
export function disagreementWords({ key }: StudioPicture): string | undefined {
  const own = current.value.get(key);
  if (own === undefined) return undefined;
  const parts = [
    [own.missed, 'missed'],
    [own.extra, 'extra'],
    [own.otherClass, 'of another class'],
    [own.otherOutline, 'with another outline'],
    [own.twice, 'twice'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return said.length === 0 ? undefined : said.join(', ');
}

/** What there is to compare: a picture without an outline says nothing yet. */
const outlined = computed(() => pictures.value.filter(({ objects }) => objects.length > 0));

/** Asks a model about every outlined picture, so that those can be seen first where it and the outlines disagree. */
export function Comparison({ onDone }: { readonly onDone: () => void }): JSX.Element | null {
  if (outlined.value.length === 0) return null;
  const isBusy = looked.value !== undefined;
  return (
    <details class="card comparison">
      <summary>Compare the outlines with what a model sees</summary>
      <div class="trying">
        <ModelChoice label="Compare" busy={isBusy} onUse={(model) => compare(model, onDone)} />
        {isBusy ? (
          <div class="row">
            <progress aria-label="Pictures compared" value={looked.value} max={outlined.value.length} />
            <button type="button" onClick={() => (stopped = true)}>
              Stop
            </button>
          </div>
        ) : (
          <p class="soft">
            A mistake of the model, or of an outline: the pictures where they disagree most are worth a look.
          </p>
        )}
      </div>
    </details>
  );
}

async function compare(model: string, onDone: () => void): Promise<void> {
  stopped = false;
  found.value = new Map();
  try {
    for (const [i, { key }] of outlined.peek().entries()) {
      looked.value = i;
      found.value = new Map([...found.peek(), [key, await api.disagreement(key, model)]]);
      if (stopped) break;
    }
  } finally {
    looked.value = undefined;
  }
  const apart = outlined.peek().filter((picture) => (errorsOf(picture) ?? 0) > 0).length;
  say(`It disagrees with ${apart} of ${current.peek().size} pictures.`);
  onDone();
}
