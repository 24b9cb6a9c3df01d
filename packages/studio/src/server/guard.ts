import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Who may talk to the studio: the browser of the person who started it, and no page from elsewhere that it has open. The
 * token is in the address that the command prints, after `#`, so it goes into no log and no `Referer`; the page trades
 * it for a cookie that scripts cannot read. A `Host` that is not this machine's is DNS rebinding; an `Origin` or
 * `Sec-Fetch-Site` of another page is a forged request.
 */
export class Guard {
  readonly token: string = randomBytes(24).toString('base64url');
  /** Each server has its own: cookies know no ports. */
  readonly #cookie: string = `studio-${randomBytes(6).toString('hex')}`;

  /** Why a request is refused; undefined for one that may go on. `known` is false for the one that brings the token. */
  objection(method: string, headers: IncomingHttpHeaders, known = true): string | undefined {
    const { host = '', origin, cookie = '' } = headers;
    if (!LOOPBACK.test(host)) return 'the studio answers to this machine by name and number alone';
    const site = headers['sec-fetch-site'];
    if (origin !== undefined && origin !== `http://${host}`) return 'this request comes from another page';
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'this request comes from another page';
    if (method !== 'GET' && method !== 'HEAD' && origin === undefined)
      return 'a change must say which page asks for it';
    if (!known) return undefined;
    const own = cookie.split(/; */).find((pair) => pair.startsWith(`${this.#cookie}=`));
    if (own !== undefined && this.isToken(own.slice(this.#cookie.length + 1))) return undefined;
    return UNKNOWN;
  }

  isToken(text: string): boolean {
    const [given, own] = [Buffer.from(text), Buffer.from(this.token)];
    return given.length === own.length && timingSafeEqual(given, own);
  }

  /** For a page that has brought the token. */
  get setCookie(): string {
    return `${this.#cookie}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }
}

/** The objection that opening the address anew helps against. */
export const UNKNOWN = 'open the address that the command printed';

const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/;

/**
 * What the page may do: load from here, and nothing else. Styles of single elements are allowed, for the library that
 * draws outlines colors them so; scripts and style sheets come from files alone.
 */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
};
