export { describeReader, type ReaderContractOptions, type TestRunner } from './describe-reader.ts';
