import { type Signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { StudioPicture } from '../../src/api.ts';
import { imageOf } from './api.ts';
import { Canvas } from './canvas.ts';
import { Classes } from './classes.tsx';
import { colorOf } from './colors.ts';
import { useKeys } from './keys.ts';
import { shown } from './pictures.tsx';
import { Proposals, ProposedOutlines } from './proposals.tsx';
import { act, classes, go, pictures, say } from './state.ts';
import { Suggestions } from './suggestions.ts';

/** How large the picture is, as a multiple of what fits. */
const ZOOMS: readonly number[] = [1, 1.5, 2, 3, 4, 6, 8];

/** One picture, to draw around its objects. */
export function Outline({ picture: key }: { readonly picture: string }): JSX.Element {
  const picture = pictures.value.find((one) => one.key === key);
  if (picture !== undefined) return <Desk picture={picture} />;
  return (
    <p class="card">
      There is no such picture any more. <a href="#/pictures">To the pictures</a>
    </p>
  );
}

function Desk({ picture }: { readonly picture: StudioPicture }): JSX.Element {
  const { key, file, width, height } = picture;
  const image = useRef<HTMLImageElement>(null);
  const canvas = useMemo(() => new Canvas(key), [key]);
  const suggestions = useMemo(() => new Suggestions(key, canvas), [key]);
  const zoom = useSignal(1);
  // Ends before the picture leaves the page: the canvas would follow its size down to nothing.
  useLayoutEffect(() => canvas.open(image.current!), [key]);
  useKeys(keysOf(key, canvas, suggestions, zoom));
  const size = { '--ratio': `${width / height}`, '--zoom': `${zoom.value}`, aspectRatio: `${width} / ${height}` };
  return (
    <div class="outline">
      <div class="head">
        <h1 class="name" title={file}>
          <a href="#/pictures">Pictures</a> / {file}
        </h1>
        <div class="row">
          <button type="button" aria-label="Picture before (B)" onClick={() => step(key, -1)}>
            ←
          </button>
          <button type="button" aria-label="Next picture (N)" onClick={() => step(key, 1)}>
            →
          </button>
        </div>
      </div>
      <Tools canvas={canvas} zoom={zoom} />
      <div class="desk">
        {/* biome-ignore lint/a11y: scrolls by keyboard */}
        <div class="stage" tabIndex={0} role="region" aria-label={`${file}, with its outlines`}>
          <div class="sheet" style={size}>
            <img ref={image} src={imageOf(picture)} alt={file} width={width} height={height} draggable={false} />
            <ProposedOutlines picture={picture} suggestions={suggestions} canChoose={!canvas.drawing.value} />
          </div>
        </div>
        <aside class="side" aria-label="Objects of the picture">
          <Classes onChoose={(id) => canvas.choose(id)} />
          <Objects canvas={canvas} />
          <Proposals suggestions={suggestions} />
          <Help />
        </aside>
      </div>
    </div>
  );
}

interface CanvasProps {
  readonly canvas: Canvas;
}

function Tools({ canvas, zoom }: CanvasProps & { readonly zoom: Signal<number> }): JSX.Element {
  const { drawing, canUndo, canRedo, selected } = canvas;
  return (
    <div class="tools" role="toolbar" aria-label="Tools">
      <button type="button" class="main" aria-pressed={drawing.value} onClick={() => canvas.draw(!drawing.value)}>
        Draw <kbd>D</kbd>
      </button>
      <button type="button" disabled={!canUndo.value} onClick={() => canvas.undo()}>
        Undo
      </button>
      <button type="button" disabled={!canRedo.value} onClick={() => canvas.redo()}>
        Redo
      </button>
      <button type="button" disabled={selected.value === undefined} onClick={() => canvas.remove()}>
        Delete
      </button>
      <label class="zoom">
        <span>Zoom</span>
        <select value={String(zoom.value)} onChange={({ currentTarget }) => (zoom.value = Number(currentTarget.value))}>
          {ZOOMS.map((one) => (
            <option key={one} value={String(one)}>
              {one === 1 ? 'fit' : `${one}×`}
            </option>
          ))}
        </select>
      </label>
      <span class="soft hint">
        {drawing.value ? 'Click from corner to corner; end with a double click.' : 'Click an outline to pull at it.'}
      </span>
    </div>
  );
}

function Objects({ canvas }: CanvasProps): JSX.Element {
  const { drawn, selected } = canvas;
  return (
    <section class="panel" aria-labelledby="objects-title">
      <h2 id="objects-title">Objects</h2>
      {drawn.value.length === 0 ? <p class="soft">None yet. Press D and click around one.</p> : null}
      <ul class="objects">
        {drawn.value.map(({ name, object: { classId } }, i) => (
          <li key={name}>
            <button
              type="button"
              class="class"
              aria-pressed={selected.value === name}
              onClick={() => canvas.select(name)}
            >
              <i class="dot" style={{ background: colorOf(classId) }} />
              <span class="name">
                {classes.value.find(({ id }) => id === classId)?.name ?? '?'} <span class="soft">{i + 1}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** To the picture before or after, in the order of the grid. */
function step(key: string, by: number): void {
  const isShown = shown.peek().some((one) => one.key === key);
  const list = isShown ? shown.peek() : pictures.peek();
  const next = list[list.findIndex((one) => one.key === key) + by];
  if (next !== undefined) go(`#/outline/${encodeURIComponent(next.key)}`);
  else say(by > 0 ? 'That was the last picture.' : 'That is the first picture.');
}

const KEYS = [
  ['D', 'draw, or stop drawing'],
  ['1 … 9', 'class of the outline, and of new ones'],
  ['Delete', 'delete the outline, or its chosen corners'],
  ['Ctrl Z, Ctrl Y', 'undo, redo'],
  ['N, B', 'next picture, the one before'],
  ['Enter, C, X', 'accept, correct, reject a proposal'],
  ['+, -', 'zoom'],
  ['Esc', 'let go'],
] as const;

function keysOf(key: string, canvas: Canvas, suggestions: Suggestions, zoom: Signal<number>) {
  const { chosen } = suggestions;
  const decide = (correct: boolean): void => {
    const proposal = chosen.peek();
    if (proposal !== undefined) act(() => suggestions.accept(proposal, correct));
  };
  const reject = (): void => {
    if (chosen.peek() !== undefined) suggestions.reject(chosen.peek()!);
  };
  const zoomBy = (by: number): void => {
    const at = ZOOMS.indexOf(zoom.peek()) + by;
    zoom.value = ZOOMS[Math.min(Math.max(at, 0), ZOOMS.length - 1)]!;
  };
  return {
    d: () => canvas.draw(!canvas.drawing.peek()),
    undo: () => canvas.undo(),
    redo: () => canvas.redo(),
    Escape: () => canvas.letGo(),
    Delete: () => (canvas.selected.peek() === undefined ? reject() : canvas.remove()),
    Backspace: () => canvas.remove(),
    Enter: () => decide(false),
    c: () => decide(true),
    x: reject,
    n: () => step(key, 1),
    b: () => step(key, -1),
    PageDown: () => step(key, 1),
    PageUp: () => step(key, -1),
    '+': () => zoomBy(1),
    '-': () => zoomBy(-1),
    digit: (number = 0) => {
      const one = classes.peek()[number - 1];
      if (one !== undefined) canvas.choose(one.id);
    },
  };
}

function Help(): JSX.Element {
  return (
    <details class="panel keys">
      <summary>Keys</summary>
      <dl>
        {KEYS.map(([name, what]) => (
          <div key={name}>
            <dt>
              <kbd>{name}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
