import type {
  Disagreement,
  Metric,
  Proposals,
  StartRun,
  StudioClass,
  StudioDataset,
  StudioModel,
  StudioObject,
  StudioPicture,
  StudioProblem,
  StudioRun,
} from '../../src/api.ts';

/** What the studio answered, where that was no. Status 0: there was no answer at all. */
export class StudioError extends Error {
  override readonly name = 'StudioError';
  readonly status: number;
  readonly code: string;
  /** With a conflict: the picture as it is now. */
  readonly picture: StudioPicture | undefined;

  constructor(status: number, code: string, message: string, picture?: StudioPicture) {
    super(message);
    this.status = status;
    this.code = code;
    this.picture = picture;
  }
}

async function call<T>(method: string, path: string, body?: object | Blob): Promise<T> {
  const isBlob = body instanceof Blob;
  const type = isBlob ? 'application/octet-stream' : 'application/json';
  const init: RequestInit = { method, ...(body && { body: isBlob ? body : JSON.stringify(body) }) };
  if (body !== undefined) init.headers = { 'content-type': type };
  const answer = await fetch(`/api${path}`, init).catch(() => {
    throw new StudioError(0, 'AWAY', 'The studio does not answer. Is it still running?');
  });
  const json = (await answer.json().catch(() => ({}))) as { code?: string; message?: string; picture?: StudioPicture };
  if (answer.ok) return json as T;
  throw new StudioError(answer.status, json.code ?? 'UNKNOWN', json.message ?? answer.statusText, json.picture);
}

const at = (key: string): string => `/pictures/${encodeURIComponent(key)}`;
const run = (name: string): string => `/runs/${encodeURIComponent(name)}`;

/** All that the page asks of the studio. */
export const api = {
  session: (token: string) => call<object>('POST', '/session', { token }),
  dataset: () => call<StudioDataset>('GET', '/dataset'),
  problems: () => call<readonly StudioProblem[]>('GET', '/problems'),
  addPicture: (name: string, file: Blob) =>
    call<StudioPicture>('POST', `/pictures?name=${encodeURIComponent(name.slice(0, 1000) || 'photo')}`, file),
  picture: (key: string) => call<StudioPicture>('GET', at(key)),
  removePicture: (key: string) => call<object>('DELETE', at(key)),
  saveObjects: (key: string, revision: string, objects: readonly StudioObject[]) =>
    call<StudioPicture>('PUT', `${at(key)}/objects`, { revision, objects }),
  moveTo: (key: string, split: 'train' | 'val') => call<StudioPicture>('PUT', `${at(key)}/split`, { split }),
  addClass: (name: string) => call<StudioClass>('POST', '/classes', { name }),
  renameClass: (id: number, name: string) => call<StudioClass>('PUT', `/classes/${id}`, { name }),
  removeClass: (id: number) => call<object>('DELETE', `/classes/${id}`),
  models: () => call<readonly StudioModel[]>('GET', '/models'),
  propose: (picture: string, model: string) => call<Proposals>('POST', '/proposals', { picture, model }),
  disagreement: (picture: string, model: string) => call<Disagreement>('POST', '/disagreements', { picture, model }),
  tryOn: (photo: Blob, model: string) => call<Proposals>('POST', `/try?model=${encodeURIComponent(model)}`, photo),
  runs: () => call<readonly StudioRun[]>('GET', '/runs'),
  startRun: (options: StartRun) => call<StudioRun>('POST', '/runs', options),
  stopRun: (name: string) => call<StudioRun>('POST', `${run(name)}/stop`),
  resumeRun: (name: string, steps?: number) =>
    call<StudioRun>('POST', `${run(name)}/resume`, steps === undefined ? {} : { steps }),
  metrics: (name: string) => call<readonly Metric[]>('GET', `${run(name)}/metrics`),
};

export const imageOf = ({ key }: StudioPicture): string => `/api${at(key)}/image`;
export const thumbnailOf = ({ key }: StudioPicture): string => `/api${at(key)}/thumbnail?side=400`;
export const runFile = (name: string, file: string): string => `/api${run(name)}/${file}`;
