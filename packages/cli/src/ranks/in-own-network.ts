/** A program of its own, started inside a network of its own: `in-own-network.js COUNT COMMAND…`. */
import { runTogether } from './processes.ts';

const [count = '1', ...command] = process.argv.slice(2);
process.exitCode = await runTogether(command, Number(count));
