/** The bytes of the kernel of the package in a folder. */
export function compileKernel(folder: string): Promise<Uint8Array>;
/** The module that holds them. */
export function kernelModule(bytes: Uint8Array): string;
