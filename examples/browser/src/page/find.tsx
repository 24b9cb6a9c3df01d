import { useComputed, useSignal } from '@preact/signals';
import { decodeBlob } from '@rcnn/coco-data';
import type { PixelImage } from '@rcnn/core';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Finder, type Findings } from '../finder.ts';
import { useCamera } from './camera.ts';
import { Drawn } from './drawn.tsx';
import { takeFiles } from './drops.ts';
import { FileButton } from './file-button.tsx';
import { painted } from './painted.ts';
import { act, engine, say, weights } from './state.ts';

const finder = new Finder();

/** Weights are told from pictures by their names. */
const WEIGHTS = /\.(safetensors|pth|pt)$/i;

/** What is looked at, and what was found in it. */
interface Looked {
  readonly image: PixelImage;
  readonly findings?: Findings | undefined;
}

/** A picture that is dropped, pasted, chosen, fetched or seen by the camera; and what the weights find in it. */
export function Find({ isShown }: { readonly isShown: boolean }): JSX.Element {
  const looked = useSignal<Looked | undefined>(undefined);
  const threshold = useSignal(0.5);
  const busy = useSignal(false);

  const find = async (image: PixelImage): Promise<void> => {
    const chosen = weights.peek();
    if (chosen === undefined) return say('Now choose weights: a file, an address, or teach a model here.');
    busy.value = true;
    await painted();
    try {
      const onProgress = (share: number): void => say(`Loading ${chosen.name}: ${Math.round(100 * share)} %`);
      const findings = await finder.find(image, chosen, engine.peek(), onProgress);
      looked.value = { image, findings };
      say(`${chosen.name}: ${findings.seconds.toFixed(2)} s on ${findings.engine}.`);
    } finally {
      busy.value = false;
    }
  };
  /** Shown at once, and what is in it when that is known. */
  const show = (image: PixelImage): Promise<void> => {
    looked.value = { image };
    return find(image);
  };
  const open = async (file: Blob, name: string): Promise<void> => show(await decodeBlob(file, { name, orientation: 'apply' })); // biome-ignore format: one line
  const take = (files: readonly File[]): void => {
    const file = files.find(({ name }) => WEIGHTS.test(name));
    if (file !== undefined) weights.value = { name: file.name, from: file };
    const picture = files.find(({ type }) => type.startsWith('image/'));
    if (picture !== undefined) act(() => open(picture, picture.name));
    else if (file === undefined)
      act(() => Promise.reject(new Error(`${files[0]!.name} is neither a picture nor weights.`)));
  };
  const camera = useCamera(find);

  useEffect(() => (isShown ? takeFiles(take) : undefined), [isShown]);
  // Weights that were chosen after the picture look at it too.
  useEffect(() => {
    const image = looked.peek()?.image;
    if (image !== undefined && weights.value !== undefined && !camera.on.peek()) act(() => find(image));
  }, [weights.value]);

  return (
    <>
      <h1>Find objects in a picture</h1>
      <section class="card" aria-labelledby="weights-title">
        <h2 id="weights-title">Weights</h2>
        <p class="soft">
          {weights.value === undefined
            ? 'A .safetensors file of mask-rcnn, a .pth file of torchvision, or what you teach here.'
            : weights.value.name}
        </p>
        <div class="row">
          <FileButton label="Choose a file" accept=".safetensors,.pth,.pt" onFiles={take} />
          <Address
            label="Address of weights"
            onGo={async (url) => {
              weights.value = { name: url.split('/').at(-1)!, from: url };
              if (looked.peek() === undefined) say('Now choose a picture.');
            }}
          />
        </div>
      </section>
      <section class="card" aria-labelledby="picture-title">
        <h2 id="picture-title">Picture</h2>
        <div class="row">
          <FileButton label="Choose a picture" accept="image/*" main onFiles={take} />
          <button type="button" aria-pressed={camera.on.value} onClick={camera.toggle}>
            Camera
          </button>
          <Address
            label="Address of a picture"
            onGo={async (url) => open(await fetched(url), url.split('/').at(-1)!)}
          />
        </div>
        {looked.value === undefined ? (
          <p class="drop soft">Drop or paste a picture, or a file of weights.</p>
        ) : (
          <Result looked={looked.value} threshold={threshold} busy={busy.value} />
        )}
      </section>
      <video ref={camera.video} class="hidden" muted playsInline aria-hidden="true" tabIndex={-1} />
    </>
  );
}

interface ResultProps {
  readonly looked: Looked;
  readonly threshold: { value: number };
  readonly busy: boolean;
}

function Result({ looked: { image, findings }, threshold, busy }: ResultProps): JSX.Element {
  const good = (findings?.objects ?? []).filter(({ score }) => score >= threshold.value);
  const names = new Map(good.map(({ classId, label }) => [classId, label]));
  const words = busy ? 'Looking …' : findings === undefined ? '' : describe(good.map(({ label }) => label));
  return (
    <figure aria-busy={busy}>
      {findings === undefined ? null : (
        <label class="threshold">
          Score from {Math.round(100 * threshold.value)} %: {good.length} of {findings.objects.length}
          <input
            type="range"
            min="0.05"
            max="0.95"
            step="0.05"
            value={threshold.value}
            onInput={({ currentTarget }) => (threshold.value = Number(currentTarget.value))}
          />
        </label>
      )}
      <Drawn
        image={image}
        objects={good.map((found) => ({ ...found, label: found.classId }))}
        names={names}
        title={`The picture. ${words}`}
        side={960}
      />
      <figcaption>{words}</figcaption>
    </figure>
  );
}

/** `2 × balloon, 1 × dog`. */
function describe(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const parts = [...counts].map(([name, count]) => `${count} × ${name}`);
  return parts.length === 0 ? 'Nothing found from this score on.' : parts.join(', ');
}

interface AddressProps {
  readonly label: string;
  readonly onGo: (url: string) => Promise<void>;
}

function Address({ label, onGo }: AddressProps): JSX.Element {
  const url = useSignal('');
  const canGo = useComputed(() => URL.canParse(url.value, location.href) && url.value !== '');
  return (
    <form
      class="address"
      onSubmit={(event) => {
        event.preventDefault();
        act(() => onGo(new URL(url.peek(), location.href).href));
      }}
    >
      <input
        aria-label={label}
        placeholder={label}
        inputMode="url"
        value={url.value}
        onInput={({ currentTarget }) => (url.value = currentTarget.value)}
      />
      <button type="submit" disabled={!canGo.value}>
        Go
      </button>
    </form>
  );
}

async function fetched(url: string): Promise<Blob> {
  const answer = await fetch(url).catch(() => undefined);
  if (answer?.ok === true) return answer.blob();
  const why =
    answer === undefined ? 'no answer, or its site does not let other pages read it (CORS)' : `HTTP ${answer.status}`;
  throw new Error(`${url} cannot be fetched: ${why}. Save the picture and drop it here.`);
}
