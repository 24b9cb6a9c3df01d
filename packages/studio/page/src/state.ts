import { computed, signal } from '@preact/signals';
import type { StudioClass, StudioDataset, StudioModel, StudioPicture, StudioProblem } from '../../src/api.ts';
import { api, StudioError } from './api.ts';

// What several parts of the page look at. Everything in it comes from the studio and can be asked for again.

export const dataset = signal<StudioDataset | undefined>(undefined);
export const problems = signal<readonly StudioProblem[]>([]);
export const models = signal<readonly StudioModel[]>([]);

/** `away`: no answer; `unknown`: it was started anew, and this page has no token for it. */
export const connection = signal<'there' | 'away' | 'unknown'>('there');

export const classes = computed<readonly StudioClass[]>(() => dataset.value?.classes ?? []);
export const pictures = computed<readonly StudioPicture[]>(() => dataset.value?.pictures ?? []);

/** The class that new outlines get. */
export const currentClass = signal<number | undefined>(undefined);

/** Where the page is: `#/pictures`, `#/outline/train:3`, … */
export const route = signal(location.hash);
window.addEventListener('hashchange', () => {
  route.value = location.hash;
});

export function go(hash: string): void {
  location.hash = hash;
}

export interface Message {
  readonly text: string;
  readonly wrong: boolean;
  readonly action?: { readonly label: string; readonly run: () => void } | undefined;
}

/** What is said at the bottom of the page. */
export const message = signal<Message | undefined>(undefined);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, { wrong = false, action }: Partial<Omit<Message, 'text'>> = {}): void {
  message.value = { text, wrong, action };
  clearTimeout(timer);
  // What went wrong stays until it is read.
  if (!wrong) timer = setTimeout(() => (message.value = undefined), action === undefined ? 4000 : 20_000);
}

/** Shows an error where the person looks, and notes when nobody answers. */
export function fail(error: unknown): void {
  if (error instanceof StudioError && error.status === 0) connection.value = 'away';
  else if (error instanceof StudioError && error.status === 401) connection.value = 'unknown';
  else say(error instanceof Error ? error.message : String(error), { wrong: true });
}

/** Does something that a person asked for; what goes wrong is shown. */
export function act(work: () => Promise<unknown>): void {
  work().catch(fail);
}

export async function reload(): Promise<void> {
  dataset.value = await api.dataset();
  connection.value = 'there';
  if (!classes.value.some(({ id }) => id === currentClass.value)) currentClass.value = classes.value[0]?.id;
}

/** Puts a picture as the studio has it now in the place of the one that is shown. */
export function keep(picture: StudioPicture, key: string = picture.key): void {
  const before = dataset.value;
  if (before === undefined) return;
  const known = before.pictures.some((one) => one.key === key);
  const list = known ? before.pictures.map((one) => (one.key === key ? picture : one)) : [...before.pictures, picture];
  dataset.value = { ...before, pictures: list };
}

/** More pictures than these are looked at only when asked for: each is decoded. */
const CHECKED_UNASKED = 200;
let checking = false;
let again = false;

/** Asks the doctor, once at a time. */
export async function check(asked = false): Promise<void> {
  if (!asked && pictures.value.length > CHECKED_UNASKED) return;
  again = checking;
  if (checking) return;
  checking = true;
  try {
    problems.value = pictures.value.length === 0 ? [] : await api.problems();
  } catch (error) {
    if (asked) fail(error);
  } finally {
    checking = false;
    if (again) void check(asked);
  }
}
