export { hardSwish } from './hard-swish.ts';
export { MobileNet, type MobileNetOptions } from './mobile-net.ts';
export { type MobileNetName, mobileNetNameOf, mobileNetStages } from './variants.ts';
