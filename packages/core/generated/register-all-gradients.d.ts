// The bundle is made by build/bundle-gradients.mjs; importing it registers the gradient of every tfjs-core op.
export {};
