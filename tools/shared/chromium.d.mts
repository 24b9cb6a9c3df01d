export const NO_CHROMIUM: string;
export function findChromium(): string | undefined;
