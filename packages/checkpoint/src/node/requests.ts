import { quoteName, RcnnError } from '@rcnn/core/errors';

const MAX_REDIRECTS = 10;

export interface RequestOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** Hosts beside that of the address to which a server may send us on. Default none. */
  readonly redirectHosts?: RedirectHosts | undefined;
}

/**
 * Hosts by name; `any`; or `public`, any that has https and a name of the open internet. The last two are for files whose
 * whole digest is known: then it does not matter who has them. Into a private network leads `any` alone.
 */
export type RedirectHosts = readonly string[] | 'any' | 'public';

/**
 * Fetches an address and follows its redirects where they stay on one host, or lead to a host that was named; never
 * from https to something else. A password is for the first host alone.
 * @throws DOWNLOAD_FAILED naming the host that was not expected; what `fetch` throws
 */
export async function followedFetch(url: string, options: RequestOptions): Promise<Response> {
  const { redirectHosts = [], fetch: get = fetch, headers, signal } = options;
  const first = new URL(url);
  let at = first;
  for (let redirects = 0; ; redirects++) {
    const sent = at.host === first.host ? headers : withoutPassword(headers);
    const response = await get(at.href, { headers: sent, redirect: 'manual', ...(signal && { signal }) });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    const next = URL.canParse(location, at.href) ? new URL(location, at.href) : undefined;
    if (next === undefined || !isAllowed(next, at, redirectHosts)) throw sentAway(first, location, redirectHosts);
    if (redirects === MAX_REDIRECTS) {
      throw new RcnnError('DOWNLOAD_FAILED', { where: url, problem: `more than ${MAX_REDIRECTS} redirects` });
    }
    at = next;
  }
}

function isAllowed(next: URL, at: URL, hosts: RedirectHosts): boolean {
  if (next.protocol !== 'https:' && (next.protocol !== 'http:' || at.protocol !== 'http:')) return false;
  if (hosts === 'any' || next.hostname === at.hostname) return true;
  return hosts === 'public' ? next.protocol === 'https:' && isPublic(next.hostname) : hosts.includes(next.hostname);
}

/** Whether a host is called as hosts of the open internet are: by a name, which is not of this machine or this network. */
function isPublic(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '');
  const isNumber = name.startsWith('[') || /^[\d.]+$/.test(name);
  return !isNumber && name.includes('.') && !/\.(?:localhost|local|internal|home\.arpa)$/.test(name);
}

/** The error for a redirect that is not followed: what may help depends on why. */
function sentAway({ href, hostname }: URL, location: string, hosts: RedirectHosts): RcnnError {
  const found = quoteName(location);
  const byHand = 'download the file yourself and give its path';
  if (typeof hosts !== 'string') {
    return new RcnnError('DOWNLOAD_FAILED', {
      where: href,
      problem: 'the server sends us on to a place that was not named',
      found,
      expected: `https and ${[hostname, ...hosts].join(' or ')}`,
      hint: `Put #sha256= and the 64 digits of the file behind the address: then any public host with https may have it. Or ${byHand}. In TypeScript, \`redirectHosts\` names hosts.`,
    });
  }
  const expected = hosts === 'any' ? 'https' : 'public hosts with https';
  return new RcnnError('DOWNLOAD_FAILED', {
    where: href,
    problem: 'the server sends us on to an unsafe place',
    found,
    expected,
    hint: `Give an address that stays on ${expected}, or ${byHand}.`,
  });
}

function withoutPassword(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

/**
 * Refuses an address at which anybody on the way could put another file in: http, unless the whole digest is known or
 * the server is this machine.
 * @throws DOWNLOAD_FAILED
 */
export function requireSafeAddress(url: string, sha256: string | undefined): void {
  const { protocol, hostname } = new URL(url);
  const here = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (protocol === 'https:' || here || sha256?.length === 64) return;
  throw new RcnnError('DOWNLOAD_FAILED', {
    where: url,
    problem: 'not an https address, and nothing says which file it should be',
    hint: 'Take https, or put #sha256= and the 64 digits of the file behind the address.',
  });
}
