import { configure } from '../../src/index.ts';
import { describeConformance } from './describe-conformance.ts';

// As on a processor for which onnxruntime has no blocked layout.
configure({ blockedLayout: false });
await describeConformance('onnxruntime');
