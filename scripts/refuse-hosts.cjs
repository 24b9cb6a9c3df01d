// Loaded into every Node process of an installation (NODE_OPTIONS=--require): no host but those named in ONLY_HOSTS is
// looked up or connected to, so that an install script which fetches from elsewhere fails as it would on such a network.
const dns = require('node:dns');
const net = require('node:net');

const allowed = new Set((process.env.ONLY_HOSTS ?? '').split(','));

function check(host) {
  if (host === undefined || host === 'localhost' || allowed.has(host)) return;
  if (net.isIP(host) !== 0) return; // the address of a host that was let through by name
  throw Object.assign(new Error(`refused: ${host} is not among ${[...allowed].join(', ')}`), { code: 'ENOTFOUND' });
}

for (const api of [dns, dns.promises]) {
  const { lookup } = api;
  api.lookup = function (host, ...rest) {
    check(host);
    return lookup.call(this, host, ...rest);
  };
}
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (options !== null && typeof options === 'object') check(options.host);
  return connect.apply(this, args);
};
