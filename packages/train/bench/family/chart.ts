import type { Chart } from '../../src/report/charts.ts';
import type { Row } from './table.ts';

const MEASURES = ['AP50', 'AP', 'boundary AP', 'AP at 0.9'];

/** How good each method's masks are by four measures, and how good against how long a picture takes. */
export function chartOf(rows: readonly Row[]): Chart {
  const withMasks = rows.filter(({ segm }) => segm !== undefined);
  const names = withMasks.map(({ arch }) => nameOf(arch));
  const measures = withMasks.flatMap(({ arch, segm }) => {
    const { ap, ap50, ap90, boundary } = segm!;
    return [ap50, ap, boundary, ap90].map((value, i) => ({ method: nameOf(arch), measure: MEASURES[i], value }));
  });
  const points = withMasks.map(({ arch, segm, processorMillisecondsPerPicture: time }) => ({
    method: nameOf(arch),
    ap: segm!.ap,
    time,
  }));
  return {
    name: 'family',
    spec: {
      $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
      hconcat: [
        {
          title: 'Masks, by how strict the measure is',
          width: { step: 15 },
          height: 240,
          data: { values: measures },
          mark: 'bar',
          encoding: {
            x: { field: 'method', type: 'nominal', title: null, sort: names, axis: { labelAngle: -30 } },
            xOffset: { field: 'measure', sort: MEASURES },
            y: { field: 'value', type: 'quantitative', title: null, scale: { domain: [0, 1] } },
            color: { field: 'measure', type: 'nominal', title: null, sort: MEASURES, legend: { orient: 'bottom' } },
          },
        },
        {
          title: 'Mask AP against time of a picture (ms of the processor)',
          width: 320,
          height: 240,
          data: { values: points },
          encoding: {
            x: { field: 'time', type: 'quantitative', title: null },
            y: { field: 'ap', type: 'quantitative', title: null, scale: { zero: false } },
          },
          layer: [
            { mark: { type: 'point', filled: true, size: 80 } },
            {
              mark: { type: 'text', align: 'left', dx: 8 },
              encoding: { text: { field: 'method', type: 'nominal' } },
            },
          ],
        },
      ],
      config: { font: 'system-ui, sans-serif', background: 'white' },
    },
  };
}

/** `solov2_small` without what all of them share. */
function nameOf(arch: string): string {
  return arch.replace(/_small$/, '').replace('_', ' ');
}
