import { memoryEntry, memorySource, type TensorSource } from '@rcnn/checkpoint';
import type { Fixture } from '@rcnn/fixtures';

/** The weights of a detectron2 file under our names, the background first: detectron2 has it last, and no box and mask of it. */
export async function weightsOfDetectron2(fixture: Fixture): Promise<TensorSource> {
  const source = fixture.weights(rename);
  const entries = [...source.tensors.values()].map(async (entry) => {
    const given = await entry.read();
    const values = new Float32Array(given.buffer, given.byteOffset, given.byteLength / 4);
    const [rows = 1, ...rest] = entry.shape;
    const width = values.length / rows;
    if (entry.name.includes('cls_score')) {
      const rolled = Float32Array.from([...values.subarray(-width), ...values.subarray(0, -width)]);
      return memoryEntry(entry.name, 'float32', entry.shape, rolled);
    }
    const added = rowsOfBackground(entry.name, rows);
    const padded = Float32Array.from([...new Float32Array(added * width), ...values]);
    return memoryEntry(entry.name, 'float32', [rows + added, ...rest], padded);
  });
  return memorySource(await Promise.all(entries), 'weights with the background first');
}

/** One box for all classes needs none. */
function rowsOfBackground(name: string, rows: number): number {
  if (name.includes('mask_fcn_logits')) return 1;
  return name.includes('bbox_pred') && rows > 4 ? 4 : 0;
}

/** detectron2's names as ours. */
function rename(name: string): string {
  return name
    .replace('roi_heads.', '')
    .replace(/fc1\./, 'fc6.')
    .replace(/fc2\./, 'fc7.')
    .replace(/mask_fcn(\d)\./, (_, n: string) => `${Number(n) - 1}.0.`)
    .replace('mask_head.deconv.', 'mask_predictor.conv5_mask.')
    .replace('mask_head.predictor.', 'mask_predictor.mask_fcn_logits.')
    .replace('.shortcut.norm.', '.downsample.1.')
    .replace('.shortcut.', '.downsample.0.')
    .replace(/\.conv(\d)\.norm\./, '.bn$1.');
}

export function sizesOf(fixture: Fixture): [number, number][] {
  const [h0, w0, h1, w1] = fixture.integers('image_sizes') as unknown as [number, number, number, number];
  return [
    [h0, w0],
    [h1, w1],
  ];
}
