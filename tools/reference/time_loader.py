"""Images per second of torch's DataLoader with torchvision's multiscale transforms, for packages/coco-data/bench.

  python time_loader.py ANNOTATIONS IMAGES WORKERS EPOCHS

Decodes with Pillow, rasterises with pycocotools, resizes and flips with torchvision.transforms.v2, two images a batch.
Prints one number: images per second of EPOCHS epochs, with workers that stayed from one before.
"""
import sys
import time

import torch
from pycocotools.coco import COCO
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2


class Dataset(torch.utils.data.Dataset):
    def __init__(self, annotations, images):
        self.coco, self.images = COCO(annotations), images
        usable = lambda a: not a.get("iscrowd", 0) and a["bbox"][2] > 1 and a["bbox"][3] > 1
        self.ids = [i for i in sorted(self.coco.imgs) if any(usable(a) for a in self.coco.imgToAnns[i])]
        self.transform = v2.Compose(
            [
                v2.RandomShortestSize(min_size=list(range(480, 801, 32)), max_size=1333),
                v2.RandomHorizontalFlip(0.5),
                v2.ToImage(),
            ]
        )

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        info = self.coco.imgs[self.ids[i]]
        image = Image.open(f"{self.images}/{info['file_name']}").convert("RGB")
        objects = [a for a in self.coco.imgToAnns[self.ids[i]] if not a.get("iscrowd", 0)]
        size = (info["height"], info["width"])
        boxes = torch.tensor([a["bbox"] for a in objects], dtype=torch.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        masks = torch.stack([torch.from_numpy(self.coco.annToMask(a)) for a in objects])
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
            "masks": tv_tensors.Mask(masks),
            "labels": torch.tensor([a["category_id"] for a in objects]),
        }
        return self.transform(image, target)


def main():
    annotations, images, workers, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    stdout, sys.stdout = sys.stdout, sys.stderr  # pycocotools prints
    dataset = Dataset(annotations, images)
    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=2, shuffle=True, num_workers=workers, persistent_workers=True, collate_fn=list
    )
    for _ in loader:
        pass
    start, count = time.perf_counter(), 0
    for _ in range(epochs):
        for batch in loader:
            count += len(batch)
    print(count / (time.perf_counter() - start), file=stdout)


if __name__ == "__main__":
    main()
