import { signal } from '@preact/signals';
import type { StudioObject, StudioPicture } from '../../src/api.ts';
import { api, StudioError } from './api.ts';
import { connection, fail, keep, say } from './state.ts';

/** An edit that the studio has not taken yet. It lies in the browser's storage until it has. */
interface Draft {
  readonly key: string;
  readonly revision: string;
  readonly objects: readonly StudioObject[];
}

const PREFIX = 'studio-draft ';
const RETRY = 1500;

/** How many edits are on their way. */
export const unsaved = signal(0);

/** Told what the studio made of an edit, so that new objects get their numbers. */
type Saved = (picture: StudioPicture) => void;

const waiting = new Map<string, { draft: Draft; saved: Saved | undefined }>();
let sending = false;

/** Keeps an edit: at once here, and in the dataset as soon as the studio answers. */
export function save(folder: string, draft: Draft, saved?: Saved): void {
  store(folder, draft);
  const before = waiting.get(draft.key);
  // An edit of objects that are themselves on their way begins where the first one did.
  waiting.set(draft.key, { draft: before ? { ...draft, revision: before.draft.revision } : draft, saved });
  unsaved.value = waiting.size;
  void send(folder);
}

/** Sends what an earlier page could not; what this one is about to send is not touched. @returns how many edits there were */
export function recover(folder: string): number {
  const own = `${PREFIX}${folder} `;
  const names = Object.keys(localStorage).filter((name) => name.startsWith(own));
  const drafts = names.map((name) => JSON.parse(localStorage.getItem(name)!) as Draft);
  const left = drafts.filter(({ key }) => !waiting.has(key));
  for (const draft of left) waiting.set(draft.key, { draft, saved: undefined });
  unsaved.value = waiting.size;
  void send(folder);
  return left.length;
}

/** Waits until the studio has everything. */
export async function settled(): Promise<void> {
  while (waiting.size > 0 && connection.value === 'there') await pause(20);
}

async function send(folder: string): Promise<void> {
  if (sending) return;
  sending = true;
  try {
    for (let next = first(); next !== undefined; next = first()) await sendOne(folder, ...next);
  } finally {
    sending = false;
  }
}

function first(): [string, { draft: Draft; saved: Saved | undefined }] | undefined {
  return waiting.entries().next().value;
}

async function sendOne(folder: string, key: string, edit: { draft: Draft; saved: Saved | undefined }): Promise<void> {
  const { draft, saved } = edit;
  try {
    const picture = await api.saveObjects(draft.key, draft.revision, draft.objects);
    connection.value = 'there';
    keep(picture);
    const now = waiting.get(key);
    if (now === edit) forget(folder, draft);
    else if (now !== undefined) waiting.set(key, { ...now, draft: { ...now.draft, revision: picture.revision } });
    saved?.(picture);
  } catch (error) {
    if (error instanceof StudioError && (error.status === 0 || error.status === 401)) {
      fail(error); // the edit stays in the storage; the page tries again
      await pause(RETRY);
    } else {
      forget(folder, draft);
      if (error instanceof StudioError && error.picture !== undefined) offerBoth(folder, draft, error.picture);
      else fail(error);
    }
  }
}

/** Somebody else was quicker: what they made is shown, and the own edit can still be taken. */
function offerBoth(folder: string, draft: Draft, picture: StudioPicture): void {
  keep(picture);
  const mine = (): void => save(folder, { ...draft, revision: picture.revision });
  say('This picture was changed elsewhere meanwhile; that is what you see.', {
    action: { label: 'Take mine', run: mine },
  });
}

function store(folder: string, draft: Draft): void {
  try {
    localStorage.setItem(`${PREFIX}${folder} ${draft.key}`, JSON.stringify(draft));
  } catch {
    // No room or no storage: the edit is on its way to the studio all the same.
  }
}

function forget(folder: string, { key }: Draft): void {
  waiting.delete(key);
  unsaved.value = waiting.size;
  localStorage.removeItem(`${PREFIX}${folder} ${key}`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
