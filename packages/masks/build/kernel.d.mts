/** The kernel's bytes. */
export function compileKernel(): Promise<Uint8Array>;
/** The module that holds them. */
export function kernelModule(bytes: Uint8Array): string;
