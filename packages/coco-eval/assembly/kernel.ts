// What evaluation spends its time on: reading rows of JSON, decoding masks, matching, sorting and curves.
// AssemblyScript; built by `tools/shared/kernel.mjs`. Everything here is done by JavaScript too, which takes over
// whatever is unusual: a function that answers -1 (or reads no row) leaves it to JavaScript, which knows what to say.
export { matchBoxCells, matchMaskCell, setDetections, setOutcomes, setParams, setTruth } from './cells';
export { writeCurves } from './curves';
export { readMask } from './masks';
export { failedAt, readRows, rowsEnd } from './rows';
export { sortByFallingScore } from './sort';
