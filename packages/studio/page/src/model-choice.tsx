import { type Signal, signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useId } from 'preact/hooks';
import { api } from './api.ts';
import { act, models } from './state.ts';

/** The model that was used last. */
export const chosenModel = signal('');

interface ModelChoiceProps {
  readonly label: string;
  readonly busy: boolean;
  readonly onUse?: ((model: string) => Promise<void>) | undefined;
}

/** Which model, and a button that asks it. */
export function ModelChoice({ label, busy, onUse }: ModelChoiceProps): JSX.Element {
  const id = useId();
  const loaded = useSignal(models.value.length > 0);
  useEffect(() => {
    act(async () => {
      models.value = await api.models();
      loaded.value = true;
      if (!models.value.some(({ key }) => key === chosenModel.value)) chosenModel.value = models.value[0]?.key ?? '';
    });
  }, []);
  const note = models.value.find(({ key }) => key === chosenModel.value)?.note;
  return (
    <div class="model">
      <label for={id}>Model</label>
      <div class="row">
        <select
          id={id}
          value={chosenModel.value}
          onChange={({ currentTarget }) => (chosenModel.value = currentTarget.value)}
        >
          {models.value.map(({ key, title }) => (
            <option key={key} value={key}>
              {title}
            </option>
          ))}
        </select>
        {onUse === undefined ? null : (
          <button
            type="button"
            disabled={busy || chosenModel.value === ''}
            onClick={() => act(() => onUse(chosenModel.value))}
          >
            {busy ? 'Looking …' : label}
          </button>
        )}
      </div>
      {note === undefined ? null : <p class="soft">{note}</p>}
    </div>
  );
}

interface ThresholdProps {
  readonly value: Signal<number>;
  readonly scores: readonly number[];
}

/** From which score on objects are shown. */
export function Threshold({ value, scores }: ThresholdProps): JSX.Element {
  const id = useId();
  const count = scores.filter((score) => score >= value.value).length;
  return (
    <div class="threshold">
      <label for={id}>Score from</label>
      <input
        id={id}
        type="range"
        min="0.05"
        max="0.95"
        step="0.05"
        value={value.value}
        onInput={({ currentTarget }) => (value.value = Number(currentTarget.value))}
      />
      <output for={id}>
        {Math.round(100 * value.value)} %: {count} of {scores.length}
      </output>
    </div>
  );
}
