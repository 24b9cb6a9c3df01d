/** Red, green and blue in [0, 255]. */
export type Color = readonly [red: number, green: number, blue: number];

/** What decides an object's colour: its class, or its place in the list (tells touching objects of one class apart). */
export type ColorBy = 'class' | 'instance';

/** The first colour; the others are chosen to be far from it and from each other. */
const FIRST: Color = [255, 56, 92];

const candidates = makeCandidates();
const chosen: Color[] = [FIRST];
const nearest = new Float64Array(candidates.length).fill(Number.POSITIVE_INFINITY);
let measured = 0;

/**
 * Colour number `index` of an endless list in which early colours are as far apart as colours can be: each next one is
 * the candidate with the largest distance in OKLab (Ottosson 2020) to all before it. After the candidates are used up
 * the list begins again.
 */
export function paletteColor(index: number): Color {
  const wanted = (((Math.trunc(index) || 0) % candidates.length) + candidates.length) % candidates.length;
  while (chosen.length <= wanted) chosen.push(nextColor());
  return chosen[wanted]!;
}

/** `rgb(…)` or `rgba(…)` for a canvas. */
export function cssColor([red, green, blue]: Color, alpha = 1): string {
  return alpha === 1 ? `rgb(${red}, ${green}, ${blue})` : `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/** Black or white, whichever reads better on `background` (WCAG relative luminance). */
export function readableOn(background: Color): Color {
  const [red, green, blue] = background.map((value) => linear(value / 255)) as [number, number, number];
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  const againstBlack = (luminance + 0.05) / 0.05;
  const againstWhite = 1.05 / (luminance + 0.05);
  return againstBlack >= againstWhite ? [0, 0, 0] : [255, 255, 255];
}

/** How different two colours look: the distance in OKLab, where 0.02 is about the least one notices. */
export function colorDistance(a: Color, b: Color): number {
  const [l1, a1, b1] = oklab(a);
  const [l2, a2, b2] = oklab(b);
  return Math.hypot(l1 - l2, a1 - a2, b1 - b2);
}

function nextColor(): Color {
  for (; measured < chosen.length; measured++) {
    const last = chosen[measured]!;
    for (let i = 0; i < candidates.length; i++) {
      nearest[i] = Math.min(nearest[i]!, colorDistance(candidates[i]!, last));
    }
  }
  let best = 0;
  for (let i = 1; i < candidates.length; i++) if (nearest[i]! > nearest[best]!) best = i;
  return candidates[best]!;
}

/** Vivid colours of middling lightness: they show on dark and on bright photographs, also when translucent. */
function makeCandidates(): readonly Color[] {
  const colors: Color[] = [FIRST];
  for (const lightness of [0.62, 0.7, 0.78, 0.86]) {
    for (const chroma of [0.13, 0.17, 0.21, 0.25]) {
      for (let hue = 0; hue < 360; hue += 12) {
        const color = fromOklch(lightness, chroma, (hue * Math.PI) / 180);
        if (color !== undefined) colors.push(color);
      }
    }
  }
  return colors;
}

function oklab(color: Color): [number, number, number] {
  const [r, g, b] = color.map((value) => linear(value / 255)) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Undefined when the colour lies outside sRGB. */
function fromOklch(lightness: number, chroma: number, hue: number): Color | undefined {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(companded);
  if (rgb.some((value) => value < 0 || value > 1)) return undefined;
  return rgb.map((value) => Math.round(value * 255)) as unknown as Color;
}

/** sRGB to linear light, both in [0, 1]. */
function linear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function companded(value: number): number {
  return value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055;
}
