import { addressOf, unescaped } from '@rcnn/core/address';
import { failure } from './failures.ts';
import { glibcOf } from './platform.ts';

/** One wheel that an index offers. */
export interface WheelLink {
  readonly filename: string;
  readonly url: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** The index that pip would ask: `PIP_INDEX_URL`, else PyPI. */
export function indexUrl(): string {
  return process.env['PIP_INDEX_URL'] || 'https://pypi.org/simple';
}

/** The address of an index may hold a name and a password; `fetch` wants them in a header, and no message shows them. */
export function request(address: string): { url: URL; headers: Record<string, string> } {
  const url = addressOf(address, 'PIP_INDEX_URL');
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '') return { url, headers: {} };
  const secret = Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString('base64');
  return { url, headers: { authorization: `Basic ${secret}` } };
}

/**
 * Asks a package index (PEP 503 in HTML, PEP 691 in JSON) for the wheel of one version for Linux x64. Which Python it
 * is for does not matter: the libraries in it are the same.
 * @throws RcnnError OFFLINE, DOWNLOAD_FAILED, SETUP_FAILED
 */
export async function findWheel(distribution: string, version: string, index: string = indexUrl()): Promise<WheelLink> {
  const { url, headers } = request(`${index.replace(/\/+$/, '')}/${distribution}/`);
  const response = await get(url, { ...headers, accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5' });
  const body = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  const links = linksOf(body, isJson, response.url);
  const prefix = `${distribution.replaceAll('-', '_')}-${version}-`;
  const fitting = links.filter(({ filename }) => filename.startsWith(prefix) && glibcOf(platformTag(filename)));
  const chosen = fitting.toSorted((a, b) => (a.filename < b.filename ? 1 : -1))[0];
  if (chosen !== undefined) return chosen;
  throw failure('SETUP_FAILED', {
    place: url.href,
    problem: `the index has no wheel of ${distribution} ${version} for Linux x64`,
    found: `${links.length} files`,
    hint: 'Name another index in PIP_INDEX_URL, or get the wheel elsewhere and pass it with --wheel FILE.',
  });
}

/** Fetches, with the failures named. */
export async function get(url: URL, headers: Record<string, string>): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers });
  } catch (cause) {
    throw failure('OFFLINE', {
      place: url.host,
      problem: 'the package index cannot be reached',
      found: reason(cause),
      hint: 'On a machine with a network: pip download --no-deps --only-binary :all: tensorflow-cpu, then pass the file with --wheel FILE.',
      cause,
    });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw failure('DOWNLOAD_FAILED', {
    place: url.href,
    problem: 'the server refused',
    found: `HTTP status ${response.status}`,
    expected: '200',
    hint: 'Name another index in PIP_INDEX_URL, or pass the wheel with --wheel FILE.',
  });
}

/** The last part of `name-version-python-abi-platform.whl`. */
export function platformTag(filename: string): string {
  return (
    filename
      .replace(/\.whl$/, '')
      .split('-')
      .at(-1) ?? ''
  );
}

/** @throws DOWNLOAD_FAILED when the answer is no index: a portal's page, an error as JSON */
function linksOf(body: string, isJson: boolean, base: string): WheelLink[] {
  try {
    return isJson ? linksOfJson(body, base) : linksOfHtml(body, base);
  } catch (cause) {
    throw failure('DOWNLOAD_FAILED', {
      place: base,
      problem: 'the answer of the package index cannot be read',
      found: reason(cause),
      hint: 'Name another index in PIP_INDEX_URL, or pass the wheel with --wheel FILE.',
      cause,
    });
  }
}

function linksOfJson(body: string, base: string): WheelLink[] {
  const { files } = JSON.parse(body) as {
    files: { filename: string; url: string; hashes: { sha256?: string }; yanked?: boolean | string }[];
  };
  return files.flatMap(({ filename, url, hashes, yanked }) =>
    yanked || hashes.sha256 === undefined ? [] : [{ filename, url: new URL(url, base).href, sha256: hashes.sha256 }],
  );
}

function linksOfHtml(body: string, base: string): WheelLink[] {
  return [...body.matchAll(/<a\s([^>]*)>/g)].flatMap(([, attributes = '']) => {
    const href = /href="([^"]*)"/.exec(attributes)?.[1]?.replaceAll('&amp;', '&');
    if (href === undefined || attributes.includes('data-yanked')) return [];
    const url = new URL(href, base);
    const sha256 = /^#sha256=([0-9a-f]{64})$/.exec(url.hash)?.[1];
    url.hash = '';
    const filename = unescaped(url.pathname.split('/').at(-1) ?? '');
    return sha256 === undefined ? [] : [{ filename, url: url.href, sha256 }];
  });
}

function reason(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
