import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { ENGINES, type EngineChoice } from '../engine.ts';
import { Find } from './find.tsx';
import { engine, message } from './state.ts';
import { Teach } from './teach.tsx';

const place = signal(location.hash);
window.addEventListener('hashchange', () => {
  place.value = location.hash;
});

export function App(): JSX.Element {
  const teaches = place.value === '#teach';
  const title = (name: EngineChoice): string => (name === 'wasm' ? 'wasm (finds only)' : name);
  return (
    <>
      <header>
        <strong>Mask R-CNN in this tab</strong>
        <nav aria-label="Parts of the page">
          <a href="#find" aria-current={teaches ? undefined : 'page'}>
            Find
          </a>
          <a href="#teach" aria-current={teaches ? 'page' : undefined}>
            Teach
          </a>
        </nav>
        <label class="engine">
          Engine
          <select
            value={engine.value}
            onChange={({ currentTarget }) => (engine.value = currentTarget.value as EngineChoice)}
          >
            {ENGINES.map((name) => (
              <option key={name} value={name}>
                {title(name)}
              </option>
            ))}
          </select>
        </label>
      </header>
      <main>
        {/* Both stay: a training goes on while somebody looks at the other. */}
        <div hidden={teaches}>
          <Find isShown={!teaches} />
        </div>
        <div hidden={!teaches}>
          <Teach isShown={teaches} />
        </div>
      </main>
      <p class={message.value?.wrong === true ? 'status wrong' : 'status'} role="status">
        {message.value?.text ?? 'Everything is computed here. Pictures do not leave this tab.'}
      </p>
    </>
  );
}
