#!/usr/bin/env node
import { main } from '../dist/main.js';
import { endQuietlyOnClosedPipe } from '../dist/output/print.js';

endQuietlyOnClosedPipe();
process.exitCode = await main(process.argv.slice(2));
