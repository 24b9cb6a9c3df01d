export function deadLinks(root: string, pages?: readonly string[]): string[];
export function linksOf(text: string): { target: string; index: number; length: number; line: number }[];
export function anchorsOf(text: string): Set<string>;
