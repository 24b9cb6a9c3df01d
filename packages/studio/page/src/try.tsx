import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Proposals } from '../../src/api.ts';
import { api } from './api.ts';
import { colorOfName } from './colors.ts';
import { chosenModel, ModelChoice, Threshold } from './model-choice.tsx';
import { pathOf } from './outlines.tsx';
import { act, fail } from './state.ts';

/** A model on a photograph that it has never seen: dropped, pasted, or from the camera. */
export function Try(): JSX.Element {
  const photo = useSignal<{ readonly file: Blob; readonly url: string } | undefined>(undefined);
  const found = useSignal<Proposals | undefined>(undefined);
  const busy = useSignal(false);
  const threshold = useSignal(0.5);
  const camera = useCamera();

  const put = (file: Blob, answer?: Proposals): void => {
    if (photo.peek() !== undefined) URL.revokeObjectURL(photo.peek()!.url);
    photo.value = { file, url: URL.createObjectURL(file) };
    found.value = answer;
  };
  const ask = async (): Promise<void> => {
    const { file } = photo.peek()!;
    found.value = undefined;
    busy.value = true;
    try {
      const answer = await api.tryOn(file, chosenModel.peek());
      if (photo.peek()?.file === file) found.value = answer; // a newer photograph has its own
    } finally {
      busy.value = false;
    }
  };
  const look = (file: Blob): Promise<void> => {
    put(file);
    return ask();
  };
  /** A frame is shown together with what was found in it; until then the one before stays. */
  const watch = async (frame: Blob): Promise<void> => {
    if (photo.peek() === undefined) put(frame);
    const answer = await api.tryOn(frame, chosenModel.peek());
    if (camera.on.peek()) put(frame, answer);
  };
  useEffect(() => takePhotographs((file) => act(() => look(file))), []);

  const shown = found.value?.objects.filter(({ score }) => score >= threshold.value) ?? [];
  return (
    <>
      <div class="head">
        <div>
          <h1>Try a model</h1>
          <p class="soft">Drop or paste a photograph that it has not learned from.</p>
        </div>
        <div class="row">
          <label class="button main">
            Choose a photograph
            <input
              class="hidden"
              type="file"
              accept="image/*"
              onChange={({ currentTarget }) => {
                const file = currentTarget.files?.[0];
                currentTarget.value = '';
                if (file !== undefined) act(() => look(file));
              }}
            />
          </label>
          <button type="button" aria-pressed={camera.on.value} onClick={() => act(() => camera.toggle(watch))}>
            Camera
          </button>
        </div>
      </div>
      <div class="card trying">
        <ModelChoice label="Look again" busy={busy.value} onUse={photo.value === undefined ? undefined : ask} />
        {found.value === undefined ? null : (
          <Threshold value={threshold} scores={found.value.objects.map(({ score }) => score)} />
        )}
      </div>
      {photo.value === undefined ? (
        <p class="welcome soft">Nothing to look at yet.</p>
      ) : (
        <figure class="found" aria-busy={busy.value}>
          <div class="frame">
            <img src={photo.value.url} alt="The photograph" />
            {found.value === undefined ? null : <Found found={found.value} shown={shown} />}
          </div>
          <figcaption>
            <span role="status">{busy.value ? 'Looking …' : words(shown.map(({ name }) => name))}</span>
            {found.value === undefined ? null : <span class="soft"> in {found.value.seconds.toFixed(2)} s</span>}
          </figcaption>
        </figure>
      )}
      <video ref={camera.video} class="hidden" muted playsInline />
    </>
  );
}

interface FoundProps {
  readonly found: Proposals;
  readonly shown: Proposals['objects'];
}

function Found({ found: { width, height }, shown }: FoundProps): JSX.Element {
  const size = Math.max(width, height) / 45;
  return (
    <svg class="outlines labeled" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {shown.map(({ name, score, polygons, box }) => (
        <g key={`${score} ${box.join()}`}>
          <path d={pathOf(polygons, box)} fill={colorOfName(name)} stroke={colorOfName(name)} />
          <text x={box[0]} y={Math.max(size, box[1] - size / 4)} font-size={size} fill={colorOfName(name)}>
            {name} {Math.round(100 * score)} %
          </text>
        </g>
      ))}
    </svg>
  );
}

/** `2 balloons, 1 dog`. */
function words(names: readonly string[]): string {
  if (names.length === 0) return 'Nothing found from this score on.';
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(', ');
}

function takePhotographs(take: (file: Blob) => void): () => void {
  const over = (event: DragEvent): void => event.preventDefault();
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) take(file);
  };
  const paste = (event: ClipboardEvent): void => {
    const file = event.clipboardData?.files[0];
    if (file !== undefined) take(file);
  };
  window.addEventListener('dragover', over);
  window.addEventListener('drop', drop);
  window.addEventListener('paste', paste);
  return () => {
    window.removeEventListener('dragover', over);
    window.removeEventListener('drop', drop);
    window.removeEventListener('paste', paste);
  };
}

/** Frames of the camera, each when the one before was looked at. They go to the studio on this machine, as all else. */
function useCamera() {
  const video = useRef<HTMLVideoElement>(null);
  const on = useSignal(false);
  const stream = useRef<MediaStream | undefined>(undefined); // outlives the element: the camera goes off with the page
  const stop = (): void => {
    on.value = false;
    for (const track of stream.current?.getTracks() ?? []) track.stop();
    stream.current = undefined;
  };
  useEffect(() => stop, []);
  const toggle = async (look: (frame: Blob) => Promise<void>): Promise<void> => {
    if (on.peek()) return stop();
    stream.current = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    const screen = video.current;
    if (screen === null) return stop(); // the page was left while the browser asked
    screen.srcObject = stream.current;
    await screen.play();
    on.value = true;
    const next = async (): Promise<void> => {
      while (on.peek() && video.current !== null) await look(await frameOf(screen));
    };
    next().catch((error: unknown) => {
      stop();
      fail(error);
    });
  };
  return { video, on, toggle };
}

async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext('2d')!.drawImage(video, 0, 0);
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
}
