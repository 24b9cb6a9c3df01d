import { expect, test } from 'vitest';
import { type Properties, schemaProperties, valueOf } from '../src/options/schema.ts';

const { model } = schemaProperties();
const { scaleRanges, grids } = model!.properties as Properties;

test('a list of ranges is written as from-to', () => {
  expect(valueOf('1-24,12.5-48', scaleRanges!, 'model.scaleRanges')).toEqual([
    [1, 24],
    [12.5, 48],
  ]);
  expect(valueOf('16,8', grids!, 'model.grids')).toEqual([16, 8]);
});

test.each(['24', '1-24-48', '1-', 'a-b', '1-24,'])('%s is no list of ranges', (text) => {
  expect(() => valueOf(text, scaleRanges!, 'model.scaleRanges')).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', place: '--model.scale-ranges' }),
  );
});
