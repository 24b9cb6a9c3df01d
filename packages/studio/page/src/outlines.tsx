import type { JSX } from 'preact';
import type { StudioPicture } from '../../src/api.ts';
import { colorOf } from './colors.ts';

/** The objects of a picture drawn over it, to look at. */
export function Outlines({ picture: { width, height, objects } }: { readonly picture: StudioPicture }): JSX.Element {
  return (
    <svg class="outlines" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {objects.map(({ id, classId, polygons, box }) => (
        <path key={id} d={pathOf(polygons, box)} fill={colorOf(classId)} stroke={colorOf(classId)} />
      ))}
    </svg>
  );
}

export function pathOf(
  polygons: readonly (readonly number[])[],
  box: readonly [number, number, number, number],
): string {
  const [x1, y1, x2, y2] = box;
  const parts = polygons.length > 0 ? polygons : [[x1, y1, x2, y1, x2, y2, x1, y2]];
  return parts.map((part) => `M${part.map((value) => Math.round(10 * value) / 10).join(' ')}Z`).join('');
}
