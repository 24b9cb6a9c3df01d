import type { Detection, PixelImage } from '@rcnn/core';

/** What this program needs of a model. */
export interface Finder {
  detect(
    images: readonly PixelImage[],
    options: { readonly maskThreshold: number },
  ): Promise<readonly (readonly Detection[])[]>;
}
