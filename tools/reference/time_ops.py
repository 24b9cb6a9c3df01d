"""Times torchvision on the work of `npm run bench -- ops` and prints one line of JSON.

    python time_ops.py RUNS
"""
import json
import sys
import time

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign, batched_nms, nms

from blocks import draw

HEIGHT, WIDTH, CHANNELS = 800, 1216, 256
GRIDS = [(HEIGHT // s, WIDTH // s) for s in (4, 8, 16, 32)] + [(13, 19)]


def boxes_of(name: str, count: int) -> torch.Tensor:
    u = (draw(name, count, 4).double() + 1).float().double() / 2
    side = 16 * (600 / 16) ** u[:, :2]
    low = u[:, 2:] * (torch.tensor([WIDTH, HEIGHT]) - side)
    return torch.cat([low, low.float().double() + side], 1).float()


def timed(runs: int, body) -> dict:
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        check = body()
        times.append((time.perf_counter() - start) * 1000)
    return {"times": times[2:], "check": float(check)}


def at(tensor: torch.Tensor) -> float:
    """The element that the TypeScript side reads: number 12345 in [N, H, W, C] order."""
    n, c, h, w = tensor.shape
    i = 12345
    return tensor[i // (h * w * c), i % c, i // (w * c) % h, i // c % w].item()


def roi_align(runs: int, count: int, size: int) -> dict:
    features = {
        str(i): draw(f"P{i + 2}", 1, h, w, CHANNELS).permute(0, 3, 1, 2).contiguous() for i, (h, w) in enumerate(GRIDS[:4])
    }
    align = MultiScaleRoIAlign(list("0123"), size, 2)
    boxes = [boxes_of("rois", count)]
    dy = draw("dy", count, size, size, CHANNELS).permute(0, 3, 1, 2).contiguous()

    def forward() -> float:
        with torch.no_grad():
            return at(align(features, boxes, [(HEIGHT, WIDTH)]))

    def both() -> float:
        align(features, boxes, [(HEIGHT, WIDTH)]).backward(dy)
        check = sum(at(map_.grad) for map_ in features.values())
        for map_ in features.values():
            map_.grad = None
        return check

    name = f"RoIAlign {count} x {size} x {size}"
    results = {f"{name}, forward": timed(runs, forward)}
    for map_ in features.values():
        map_.requires_grad_()
    return {**results, f"{name}, forward and backward": timed(runs, both)}


def suppression(runs: int) -> dict:
    boxes, scores, groups = boxes_of("nms", 4700), draw("scores", 4700), torch.arange(4700) // 940
    return {
        "NMS of 4700 boxes": timed(runs, lambda: len(nms(boxes, scores, 0.7))),
        "NMS of 5 levels of 940 boxes, best 1000": timed(runs, lambda: len(batched_nms(boxes, scores, groups, 0.7)[:1000])),
    }


def proposals(runs: int) -> dict:
    logits = [draw(f"logits{i}", 1, h, w, 3).permute(0, 3, 1, 2).contiguous() for i, (h, w) in enumerate(GRIDS)]
    deltas = [(draw(f"deltas{i}", 1, h, w, 12) * 0.5).permute(0, 3, 1, 2).contiguous() for i, (h, w) in enumerate(GRIDS)]
    maps = {str(i): torch.zeros(1, 1, *grid) for i, grid in enumerate(GRIDS)}
    images = ImageList(torch.zeros(1, 3, HEIGHT, WIDTH), [(HEIGHT, WIDTH)])
    anchors = AnchorGenerator(tuple((s,) for s in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5)(images, list(maps.values()))

    class Stored(torch.nn.Module):
        def __init__(self, value) -> None:
            super().__init__()
            self.value = value

        def forward(self, *_):
            return self.value

    counts, kept = {"training": 1000, "testing": 1000}, {"training": 1000, "testing": 1000}
    # Anchors are stored on both sides.
    network = RegionProposalNetwork(Stored(anchors), Stored((logits, deltas)), 0.7, 0.3, 256, 0.5, counts, kept, 0.7).eval()

    def body() -> float:
        with torch.no_grad():
            return network(images, maps)[0][0].double().sum().item()

    return {"Proposals of 242,991 anchors (decode, top-k, NMS)": timed(runs, body)}


def paste(runs: int) -> dict:
    boxes = boxes_of("paste", 100) * torch.tensor([640 / WIDTH, 480 / HEIGHT] * 2, dtype=torch.float64)
    y, x = np.mgrid[0:28, 0:28] - 13.5
    masks = torch.from_numpy(np.stack([
        1 / (1 + np.exp(np.hypot(y, x) - (10 + 2 * np.sin(3 * np.arctan2(y, x) + k)))) for k in range(100)
    ]).astype(np.float32))[:, None]
    boxes = boxes.float()

    def body() -> int:
        pasted = paste_masks_in_image(masks, boxes, (480, 640))[:, 0].numpy() > 0.5
        columns = np.asfortranarray(pasted.transpose(1, 2, 0).astype(np.uint8))
        return sum(len(rle["counts"]) for rle in coco_mask.encode(columns))

    return {"Paste 100 masks at 480 x 640, to RLE": timed(runs, body)}


if __name__ == "__main__":
    runs = int(sys.argv[1])
    print(json.dumps({
        **roi_align(runs, 1000, 7), **roi_align(runs, 100, 14), **suppression(runs), **proposals(runs), **paste(runs),
    }))
