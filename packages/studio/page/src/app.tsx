import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Outline } from './outline.tsx';
import { Pictures } from './pictures.tsx';
import { Run } from './run.tsx';
import { unsaved } from './saver.ts';
import { connection, dataset, message, route } from './state.ts';
import { Train } from './train.tsx';
import { Try } from './try.tsx';

const PLACES = [
  ['pictures', 'Pictures'],
  ['train', 'Train'],
  ['try', 'Try'],
] as const;

export function App(): JSX.Element {
  const [, place = 'pictures', ...rest] = route.value.split('/');
  const argument = decodeURIComponent(rest.join('/'));
  const current = place === 'outline' ? 'pictures' : place === 'run' ? 'train' : place;
  useEffect(() => {
    document.title = `${argument || PLACES.find(([name]) => name === current)?.[1] || 'mask-rcnn studio'} – studio`;
  });
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="bar">
        <strong class="brand">
          <Mark />
          <span>{dataset.value?.name ?? 'studio'}</span>
        </strong>
        <nav aria-label="Parts of the studio">
          {PLACES.map(([name, title]) => (
            <a key={name} href={`#/${name}`} aria-current={current === name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <Saved />
      </header>
      <main id="main" tabIndex={-1}>
        <Away />
        {dataset.value === undefined ? null : <Place name={place} argument={argument} />}
      </main>
      <Said />
    </>
  );
}

function Place({ name, argument }: { readonly name: string; readonly argument: string }): JSX.Element {
  if (name === 'outline') return <Outline key={argument} picture={argument} />;
  if (name === 'train') return <Train />;
  if (name === 'run') return <Run key={argument} name={argument} />;
  if (name === 'try') return <Try />;
  return <Pictures />;
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** Whether everything is kept: the question that a page without a save button has to answer. */
function Saved(): JSX.Element {
  const text = connection.value !== 'there' ? 'Not saved' : unsaved.value > 0 ? 'Saving …' : 'All saved';
  return (
    <span class="saved" role="status" data-state={text === 'All saved' ? 'saved' : 'unsaved'}>
      {text}
    </span>
  );
}

function Away(): JSX.Element | null {
  if (connection.value === 'there') return null;
  return (
    <section class="card away" role="alert">
      <h2>{connection.value === 'away' ? 'The studio does not answer' : 'The studio was started anew'}</h2>
      <p>
        {connection.value === 'away'
          ? 'Start it again in your terminal. What you drew since then is kept in this browser.'
          : 'Open the address that it printed in your terminal. What it has not got yet is kept in this browser.'}
      </p>
    </section>
  );
}

function Said(): JSX.Element {
  const said = message.value;
  return (
    <div class="said" role="status" aria-live="polite">
      {said === undefined ? null : (
        <div class={said.wrong ? 'toast wrong' : 'toast'}>
          <span>{said.text}</span>
          {said.action === undefined ? null : (
            <button type="button" onClick={said.action.run}>
              {said.action.label}
            </button>
          )}
          <button type="button" class="quiet" aria-label="Close" onClick={() => (message.value = undefined)}>
            ✕
          </button>
        </div>
      )}
    </div>
  );
}

function Mark(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <path class="mark" d="M6 9 18 4l9 8-3 14-14 2-6-9z" />
    </svg>
  );
}
