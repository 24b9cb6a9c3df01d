// What evaluation spends its time on: reading rows of JSON, decoding masks, matching, sorting and curves.
// AssemblyScript; built by `tools/shared/kernel.mjs`. Everything here is done by JavaScript too, which takes over
// whatever is unusual: a function that answers -1 (or reads no row) leaves it to JavaScript, which knows what to say.
export { matchBoxCells, matchMaskCell, setDetections, setOutcomes, setParams, setTruth } from './cells';
export { meanOf, setArrays, setCurves, writeCategory } from './curves';
export { findIds, indexIds } from './ids';
export { anyNaN, listCells, rowsInside } from './list';
export { readMask } from './masks';
export { allHave, failedAt, readRows, rowsEnd } from './rows';
export { scoresInOrder, sortByFallingScore, sortByIndex } from './sort';
