import { RcnnError } from '@rcnn/core/errors';

const MAX_REDIRECTS = 10;

export interface RequestOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** Hosts beside that of the address to which a server may send us on, or `any` of them. Default none. */
  readonly redirectHosts?: RedirectHosts | undefined;
}

/** `any` is for files whose whole digest is known: then it does not matter who has them. */
export type RedirectHosts = readonly string[] | 'any';

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
    const host = next?.hostname ?? '';
    const safe = next?.protocol === 'https:' || (next?.protocol === 'http:' && at.protocol === 'http:');
    const allowed = redirectHosts === 'any' || host === at.hostname || redirectHosts.includes(host);
    if (!safe || !allowed) {
      throw new RcnnError('DOWNLOAD_FAILED', {
        where: url,
        problem: 'the server sends us on to a place that was not named',
        found: location,
        expected: redirectHosts === 'any' ? 'https' : [first.hostname, ...redirectHosts].join(' or '),
        hint: 'If you trust that place, give its address, or name its host in `redirectHosts`.',
      });
    }
    if (redirects === MAX_REDIRECTS) {
      throw new RcnnError('DOWNLOAD_FAILED', { where: url, problem: `more than ${MAX_REDIRECTS} redirects` });
    }
    at = next;
  }
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
