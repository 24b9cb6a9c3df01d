import sharp from 'sharp';

const picture = sharp({ create: { width: 20, height: 12, channels: 3, background: '#963' } });

/** A picture of 20 x 12 pixels of one color, as a file of each kind. */
export const png: Buffer = await picture.clone().png().toBuffer();
export const jpeg: Buffer = await picture.clone().jpeg().toBuffer();
