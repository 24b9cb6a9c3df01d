/**
 * Reports one engine as a line of JSON: `node probe.js <engine> <budget in milliseconds>`. A process of its own, because
 * a native library that does not suit the machine takes the process down, and the doctor must live to tell.
 */
import { describeEngines, type EngineName } from '@rcnn/core';
import { loaders } from './loaders.ts';

const [name = '', budget = '0'] = process.argv.slice(2);
const [report] = await describeEngines({ names: [name as EngineName], budget: Number(budget), loaders });
process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0)); // a GPU device would keep it alive
