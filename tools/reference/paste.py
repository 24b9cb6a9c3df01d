"""Soft masks laid over an image by torchvision and by detectron2's rule, for packages/masks/test/paste.test.ts.

python paste.py > ../../packages/masks/test/fixtures/paste.json
"""
import json

import numpy as np
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from seeded import Draw

SIZE = (60, 70)


def soft_mask(draw, side):
    coarse = np.array([draw(1001) / 1000 for _ in range(25)], np.float32).reshape(1, 1, 5, 5)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse), size=(side, side), mode="bilinear")
    return np.round(fine.numpy()[0, 0] * 256) / 256  # few digits, exact in float32


def detectron2(mask, box):
    """The grid of detectron2's mask_ops: pixel centres of the image in units of the box."""
    x0, y0, x1, y1 = torch.tensor(box)
    y = (torch.arange(SIZE[0], dtype=torch.float32) + 0.5 - y0) / (y1 - y0) * 2 - 1
    x = (torch.arange(SIZE[1], dtype=torch.float32) + 0.5 - x0) / (x1 - x0) * 2 - 1
    grid = torch.stack([x[None, :].expand(*SIZE), y[:, None].expand(*SIZE)], dim=2)[None]
    return torch.nn.functional.grid_sample(torch.from_numpy(mask)[None, None], grid, align_corners=False)[0, 0].numpy()


if __name__ == "__main__":
    draw = Draw(2017)
    cases = []
    for i in range(14):
        mask = soft_mask(draw, (28, 28, 14, 56)[i % 4]).astype(np.float32)
        x, y = (draw(900) - 200) / 10, (draw(800) - 200) / 10
        box = [x, y, x + draw(500) / 10 + 0.5, y + draw(400) / 10 + 0.5]
        box = [min(max(v, 0.0), float(SIZE[1 - k % 2])) for k, v in enumerate(box)]  # as detections are
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            continue
        tv = paste_masks_in_image(torch.from_numpy(mask)[None, None], torch.tensor([box]), SIZE)[0, 0].numpy()
        d2 = detectron2(mask, box)
        cases.append(dict(
            side=mask.shape[0], soft=(mask.ravel() * 256).astype(int).tolist(), box=box,
            torchvision=dict(sum=float(tv.sum(dtype=np.float64)), above=np.flatnonzero(tv > 0.5).size,
                             samples=[[int(p), float(tv.flat[p])] for p in range(3, tv.size, 97) if tv.flat[p] > 0]),
            detectron2=dict(sum=float(d2.sum(dtype=np.float64)), above=np.flatnonzero(d2 >= 0.5).size,
                            samples=[[int(p), float(d2.flat[p])] for p in range(3, d2.size, 97) if d2.flat[p] > 0])))
    print(json.dumps(dict(size=SIZE, cases=cases), separators=(",", ":")))
