import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { StudioClass } from '../../src/api.ts';
import { api } from './api.ts';
import { colorOf } from './colors.ts';
import { act, classes, currentClass, pictures, reload } from './state.ts';

interface ClassesProps {
  /** A class was chosen, by hand or because it is new. */
  readonly onChoose: (id: number) => void;
}

/** The classes: choose the one that new outlines get, add, rename. */
export function Classes({ onChoose }: ClassesProps): JSX.Element {
  const name = useSignal('');
  const add = async (): Promise<void> => {
    const { id } = await api.addClass(name.value);
    name.value = '';
    await reload();
    onChoose(id);
  };
  return (
    <section class="panel" aria-labelledby="classes-title">
      <h2 id="classes-title">Classes</h2>
      {classes.value.length === 0 ? <p>First, say what you will outline:</p> : null}
      <ul class="classes">
        {classes.value.map((one, i) => (
          <ClassRow key={one.id} one={one} number={i + 1} onChoose={onChoose} />
        ))}
      </ul>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          act(add);
        }}
      >
        <input
          aria-label="Name of a new class"
          placeholder={classes.value.length === 0 ? 'balloon' : 'another class'}
          value={name.value}
          maxLength={200}
          onInput={({ currentTarget }) => (name.value = currentTarget.value)}
        />
        <button type="submit" disabled={name.value.trim() === ''}>
          Add
        </button>
      </form>
    </section>
  );
}

interface RowProps extends ClassesProps {
  readonly one: StudioClass;
  readonly number: number;
}

function ClassRow({ one: { id, name }, number, onChoose }: RowProps): JSX.Element {
  const editing = useSignal(false);
  const used = pictures.value.some(({ objects }) => objects.some(({ classId }) => classId === id));
  const rename = async (text: string): Promise<void> => {
    editing.value = false;
    if (text.trim() === name) return;
    await api.renameClass(id, text);
    await reload();
  };
  const remove = async (): Promise<void> => {
    await api.removeClass(id);
    await reload();
  };
  if (editing.value) {
    return (
      <li>
        <input
          class="rename"
          aria-label={`New name of ${name}`}
          defaultValue={name}
          maxLength={200}
          ref={(input) => input?.focus()}
          onBlur={({ currentTarget }) => act(() => rename(currentTarget.value))}
          onKeyDown={(event) => {
            if (event.key === 'Enter') event.currentTarget.blur();
            if (event.key === 'Escape') editing.value = false;
          }}
        />
      </li>
    );
  }
  return (
    <li>
      <button
        type="button"
        class="class"
        aria-pressed={currentClass.value === id}
        onClick={() => onChoose(id)}
        onDblClick={() => (editing.value = true)}
      >
        <i class="dot" style={{ background: colorOf(id) }} />
        <span class="name">{name}</span>
        {number <= 9 ? <kbd>{number}</kbd> : null}
      </button>
      <button type="button" class="quiet" aria-label={`Rename ${name}`} onClick={() => (editing.value = true)}>
        ✎
      </button>
      {used ? null : (
        <button type="button" class="quiet" aria-label={`Remove ${name}`} onClick={() => act(remove)}>
          ✕
        </button>
      )}
    </li>
  );
}
