import { configure } from '../../src/index.ts';
import { describeConformance } from './describe-conformance.ts';

// Winograd's method wherever it can be done, not only where it is quicker.
configure({ convolutions: 'winograd' });
await describeConformance('onnxruntime');
