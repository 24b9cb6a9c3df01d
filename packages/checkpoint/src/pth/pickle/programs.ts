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
    /^torch\.storage\._load_from_bytes$/,
    'this was written by pickle.dump; load it with pickle.load and write it with torch.save',
  ],
  [/^__main__\./, "this is an object of somebody's own program; save its state_dict() instead"],
];

/** Programs that train, and keep objects of their own beside the weights: logs, schedules, options. */
const TRAINING =
  /^(?:detectron2|fvcore|iopath|mmcv|mmdet|mmengine|mmpretrain|lightning(?:_fabric)?|pytorch_lightning)\./;

/** Whether a global is of a program whose objects beside the weights are passed over. */
export function isOfTraining(global: string): boolean {
  return TRAINING.test(global);
}

/** Says what kind of file names such a global, where that is known. */
export function whatNames(global: string): string | undefined {
  return PROGRAMS.find(([start]) => start.test(global))?.[1];
}
