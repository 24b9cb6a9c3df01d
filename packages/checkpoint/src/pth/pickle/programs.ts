/** What a file is that names a class, by how the name begins; the first that fits. */
const PROGRAMS: readonly (readonly [start: RegExp, what: string])[] = [
  [/^ultralytics\./, 'this is a model of Ultralytics YOLO, saved as a program; its networks are not ours'],
  [
    /^models\.(yolo|common|experimental)\./,
    'this is a model of YOLOv5 or YOLOv7, saved as a program; its networks are not ours',
  ],
  [
    /^(torch\.nn\.modules|torchvision\.models|torchvision\.ops|timm\.)/,
    'this is a whole module, saved with torch.save(model); save model.state_dict() instead',
  ],
  [
    /^(detectron2|mmdet|mmengine|mmcv)\./,
    'objects of the training program lie beside the weights; save the state dict alone',
  ],
  [/^(pytorch_lightning|lightning)\./, 'objects of Lightning lie beside the weights; save the state dict alone'],
  [
    /^torch\.storage\._load_from_bytes$/,
    'this was written by pickle.dump; load it with pickle.load and write it with torch.save',
  ],
  [/^__main__\./, "this is an object of somebody's own program; save its state_dict() instead"],
];

/** Says what kind of file names such a global, where that is known. */
export function whatNames(global: string): string | undefined {
  return PROGRAMS.find(([start]) => start.test(global))?.[1];
}
