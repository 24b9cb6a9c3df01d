/** A program of its own, started inside a network of its own: `in-own-network.js LAUNCH COMMAND…`, the first as JSON. */
import { type Launch, runRestarting } from './restarts.ts';

const [launch = '', ...command] = process.argv.slice(2);
process.exitCode = await runRestarting(command, JSON.parse(launch) as Launch);
