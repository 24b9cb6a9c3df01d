export {
  type DecodedImage,
  type DecodeOptions,
  decodeImage,
  type ImageHeader,
  MAX_PIXELS,
  readImageHeader,
} from './decode.ts';
export { fetchImage, imageBytes } from './fetch-image.ts';
export { readImage } from './read-image.ts';
