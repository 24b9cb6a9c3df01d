/** Apart from each other for most eyes, on photographs, in light and dark. */
const COLORS = [
  '#e6550d',
  '#2171ff',
  '#1a9850',
  '#c51b8a',
  '#f2b701',
  '#00a6b4',
  '#8c4bd9',
  '#d7301f',
  '#6b8e23',
  '#8d5524',
] as const;

export type Color = `#${string}`;

export function colorOf(classId: number): Color {
  return COLORS[(classId - 1 + COLORS.length * 1000) % COLORS.length]!;
}

/** The same name is the same color, whichever model says it. */
export function colorOfName(name: string): Color {
  let sum = 0;
  for (const character of name) sum = (31 * sum + character.codePointAt(0)!) % 100_003;
  return COLORS[sum % COLORS.length]!;
}
