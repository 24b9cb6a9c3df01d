/** The head of the site's first page, in VitePress's words. */
export const HOME = {
  layout: 'home',
  title: 'Mask R-CNN for TypeScript',
  titleTemplate: false,
  hero: {
    name: 'Mask R-CNN',
    text: 'for TypeScript',
    tagline:
      'Find and outline objects in pictures, and teach your own. In Node and in the browser; no Python, no compiler.',
    image: {
      src: '/pictures/hero.png',
      alt: 'Circles and a star with their outlines, classes and scores, as a small model found them',
    },
    actions: [
      { theme: 'brand', text: 'Quick start', link: '/quick-start' },
      { theme: 'alt', text: 'Your own objects', link: '/fine-tune' },
      { theme: 'alt', text: 'API', link: '/api/' },
    ],
  },
  features: [
    {
      title: 'One call',
      details: 'From a photograph to named objects with masks, in Node, Bun, Deno, Electron and the browser.',
    },
    {
      title: 'Your own objects',
      details: 'A page on your own machine to outline, train, compare and try; or one command over a folder.',
    },
    {
      title: 'torchvision’s numbers',
      details:
        'Its weights load as they are; features, losses, gradients and training steps are held against its answers.',
    },
    {
      title: 'Blocks, not a framework',
      details: 'FPN, RoIAlign, anchors, heads, masks, COCO evaluation. Take one, or put your own in its place.',
    },
  ],
};
