export { BackboneWithFPN } from './backbone-with-fpn.ts';
export { type ExtraLevels, type ExtraLevelsFactory, type P6P7Options, p6p7Extra, poolExtra } from './extra-levels.ts';
export { FPN, type FPNOptions } from './fpn.ts';
