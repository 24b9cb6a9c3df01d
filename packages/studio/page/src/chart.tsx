import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Curves, type Line } from './curve.ts';

interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
}

export function Chart({ title, lines }: ChartProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const curves = useRef<Curves | undefined>(undefined);
  useEffect(() => {
    curves.current = new Curves(place.current!);
    return () => curves.current?.destroy();
  }, []);
  useEffect(() => curves.current?.show(lines));
  return <div ref={place} class="chart" role="img" aria-label={title} />;
}
