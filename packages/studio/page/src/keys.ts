import { useEffect } from 'preact/hooks';

/** What keys do, by their names; `digit` is told which of 1 … 9 was pressed. */
export type Keys = Readonly<Record<string, (digit?: number) => unknown>>;

/** Keys of the whole page; while somebody types into a field they are letters. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { target, key, ctrlKey, metaKey, altKey } = event;
      if (ctrlKey || metaKey || altKey || isField(target) || isOfCorners(key)) return;
      if (key === 'Enter' && target instanceof Element && target.closest('button, a, summary') !== null) return;
      const digit = /^[1-9]$/.test(key) ? Number(key) : undefined;
      const found = keys[digit === undefined ? (key.length === 1 ? key.toLowerCase() : key) : 'digit'];
      if (found === undefined) return;
      event.preventDefault();
      found(digit);
    };
    // Before the canvas, which takes keys of its own.
    window.addEventListener('keydown', press, true);
    return () => window.removeEventListener('keydown', press, true);
  }, []);
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
