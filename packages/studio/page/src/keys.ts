import { useEffect } from 'preact/hooks';

/** What keys do, by their names; `digit` is told which of 1 … 9 was pressed, `undo` and `redo` are what systems have for it. */
export type Keys = Readonly<Record<string, (digit?: number) => unknown>>;

/** Keys of the whole page; while somebody types into a field they are letters. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { target, key, altKey } = event;
      const name = nameOf(event);
      if (name === undefined || altKey || isField(target) || isOfCorners(key)) return;
      if (key === 'Enter' && target instanceof Element && target.closest('button, a, summary') !== null) return;
      const found = keys[name];
      if (found === undefined) return;
      // Neither the browser (which would undo what was typed into a field) nor the canvas does it a second time.
      event.preventDefault();
      event.stopImmediatePropagation();
      found(Number(key));
    };
    // Before the canvas, which takes keys of its own.
    window.addEventListener('keydown', press, true);
    return () => window.removeEventListener('keydown', press, true);
  }, []);
}

/** The name of what is pressed; undefined for what belongs to the browser. */
function nameOf({ key, ctrlKey, metaKey, shiftKey }: KeyboardEvent): string | undefined {
  const lower = key.length === 1 ? key.toLowerCase() : key;
  if (!ctrlKey && !metaKey) return /^[1-9]$/.test(key) ? 'digit' : lower;
  if (lower === 'y' || (lower === 'z' && shiftKey)) return 'redo';
  return lower === 'z' ? 'undo' : undefined;
}

/** With corners chosen, deleting means them: the canvas does that. */
function isOfCorners(key: string): boolean {
  return (key === 'Delete' || key === 'Backspace') && document.querySelector('.a9s-handle-dot.selected') !== null;
}

function isField(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
  );
}
