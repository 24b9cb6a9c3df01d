import './page.css';
import { render } from 'preact';
import { api } from './api.ts';
import { App } from './app.tsx';
import { recover } from './saver.ts';
import { connection, dataset, fail, go, reload, route, say } from './state.ts';

const TOKEN = /^#token=([\w-]+)$/;

/** Trades the token of the address for a cookie, and takes it out of the address before anybody sees it. */
async function enter(): Promise<void> {
  const [, token] = TOKEN.exec(location.hash) ?? [];
  if (token !== undefined) {
    history.replaceState(null, '', '#/pictures');
    route.value = location.hash;
    await api.session(token);
  }
  await reload();
  if (route.value === '') go('#/pictures');
  const { folder, notes } = dataset.value!;
  const count = recover(folder);
  if (count > 0) say(`${count} unsaved ${count === 1 ? 'picture was' : 'pictures were'} brought back.`);
  else if (notes.length > 0) say(notes.join(' '), { wrong: true });
}

// The address of a studio that was started anew, opened where the page of the one before still is.
window.addEventListener('hashchange', () => {
  if (TOKEN.test(location.hash)) enter().catch(fail);
});

render(<App />, document.getElementById('page')!);
enter().catch(fail);

// A studio that is away may come back; one that was started anew needs the address that it printed.
setInterval(() => {
  if (connection.value === 'away') reload().catch(fail);
}, 2000);
