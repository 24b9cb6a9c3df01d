"""Makes the answers that the tests of boxes, rpn-anchors and roi-align compare with.

Run with torch 2.14 and torchvision 0.29.1 installed:  python tools/reference/blocks.py
Inputs are drawn by a hash (`draw`), which the tests repeat, so only answers are stored.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torchvision.models.detection import _utils
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign, box_iou, nms, roi_align, roi_pool

ROOT = Path(__file__).resolve().parents[2] / "packages"


def draw(name: str, *shape: int) -> torch.Tensor:
    """Uniform float32 in [-1, 1), in C order: the mixed index, with the FNV-1a hash of the name as its start."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    x = (np.arange(int(np.prod(shape)), dtype=np.uint64) * 0x9E3779B9 + seed) % 2**32
    x ^= x >> np.uint64(16)
    x = x * 0x7FEB352D % 2**32
    x ^= x >> np.uint64(15)
    x = x * 0x846CA68B % 2**32
    x ^= x >> np.uint64(16)
    return torch.from_numpy((x / 2**31 - 1).astype(np.float32).reshape(shape))


def flat(tensor: torch.Tensor) -> list:
    """Numbers as short as float32 allows."""
    values = tensor.detach().contiguous().flatten()
    if values.dtype.is_floating_point:
        return [float(np.format_float_positional(v, trim="-", unique=True)) for v in values.numpy()]
    return values.tolist()


def nhwc(tensor: torch.Tensor) -> list:
    return flat(tensor.permute(0, 2, 3, 1))


def maps(name: str, n: int, h: int, w: int, c: int) -> torch.Tensor:
    """A map drawn in our order, `[N, H, W, C]`, handed to torch as `[N, C, H, W]`."""
    return draw(name, n, h, w, c).permute(0, 3, 1, 2).contiguous()


def some_boxes(name: str, count: int, height: float, width: float, smallest: float = 1) -> torch.Tensor:
    """Boxes of all sizes, some of them partly outside."""
    u = (draw(name, count, 4) + 1) / 2
    side = smallest * (min(height, width) / smallest) ** u[:, 2:]
    corner = u[:, :2] * torch.tensor([width, height]) * 1.1 - side * 0.6
    return torch.cat([corner, corner + side], dim=1)


def write(package: str, name: str, answers: dict) -> None:
    folder = ROOT / package / "test" / "fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(answers, separators=(",", ":")) + "\n")


def boxes() -> None:
    a, b = some_boxes("iou/a", 12, 90, 120), some_boxes("iou/b", 30, 90, 120)
    coder = []
    for weights in [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)]:
        anchors, gt = some_boxes("coder/anchors", 25, 600, 800), some_boxes("coder/gt", 25, 600, 800)
        deltas = draw("coder/deltas", 25, 12) * torch.tensor([3.0, 3.0, 9.0, 9.0]).repeat(3)
        box_coder = _utils.BoxCoder(weights)
        coder.append({
            "weights": weights, "anchors": flat(anchors), "gt": flat(gt), "deltas": flat(deltas),
            "encoded": flat(box_coder.encode_single(gt, anchors)),
            "decoded": flat(box_coder.decode_single(deltas, anchors)),
        })

    candidates = some_boxes("nms/boxes", 300, 200, 300, 20)
    candidates[::7] = candidates[1::7][: len(candidates[::7])]  # some of them twice
    candidates[::5] = candidates[::5].round()
    scores = ((draw("nms/scores", 300) + 1) * 20).round() / 40  # many ties
    groups = ((draw("nms/groups", 300) + 1) * 2).long()
    suppressed = [
        {"threshold": t, "kept": flat(nms(candidates, scores, t)),
         "grouped": flat(grouped_nms(candidates, scores, groups, t))}
        for t in [0.0, 0.3, 0.5, 0.7, 0.95]
    ]

    gt, anchors = some_boxes("match/gt", 15, 200, 300, 10), some_boxes("match/anchors", 1500, 200, 300, 10)
    anchors[:15] = gt  # exact matches
    gt[14] = gt[13]  # and one gt box twice
    quality = box_iou(gt, anchors)
    write("boxes", "torchvision", {
        "iou": {"a": flat(a), "b": flat(b), "iou": flat(box_iou(a, b))},
        "coder": coder,
        "nms": {"boxes": flat(candidates), "scores": flat(scores), "groups": flat(groups), "cases": suppressed},
        "matcher": {
            "gt": flat(gt), "anchors": flat(anchors),
            "rpn": flat(_utils.Matcher(0.7, 0.3, True)(quality.clone())),
            "roi": flat(_utils.Matcher(0.5, 0.5, False)(quality.clone())),
        },
    })


def grouped_nms(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float) -> torch.Tensor:
    """Group by group, then best first, equal scores by index: batched_nms without its unstable sort."""
    members = [torch.where(groups == k)[0] for k in groups.unique()]
    kept = torch.cat([g[nms(boxes[g], scores[g], threshold)] for g in members]).sort().values
    return kept[scores[kept].sort(descending=True, stable=True).indices]


def anchors() -> None:
    cases = []
    for i in range(20):
        u = (draw(f"grids/{i}", 2) + 1) / 2
        padded = [32 * (4 + int(float(v) * 34)) for v in u]
        grids = [[padded[0] // s, padded[1] // s] for s in (4, 8, 16, 32)]
        grids.append([-(-grids[3][0] // 2), -(-grids[3][1] // 2)])
        generator = AnchorGenerator(tuple((s,) for s in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5)
        features = [torch.zeros(1, 1, *g) for g in grids]
        rows = generator(ImageList(torch.zeros(1, 3, *padded), [tuple(padded)]), features)[0].double()
        weight = torch.arange(rows.numel(), dtype=torch.float64) % 97 + 1
        cases.append({
            "padded": padded, "grids": grids, "count": len(rows), "first": flat(rows[:4].float()),
            "last": flat(rows[-4:].float()), "checksum": float((rows.flatten() * weight).sum()),
        })
    several = AnchorGenerator(((24, 33, 70), (100,)), ((0.4, 1.3), (0.5, 1.0, 3.0)))
    write("rpn-anchors", "anchors", {
        "cases": cases, "several": [flat(level) for level in several.cell_anchors],
    })


def rpn() -> None:
    channels, padded, sizes = 8, (128, 160), [(120, 150), (128, 100)]
    grids = [(32, 40), (16, 20), (8, 10), (4, 5), (2, 3)]
    torch.randperm = lambda n, **_: torch.arange(n)  # the sampler takes the first candidates
    head = RPNHead(channels, 3, conv_depth=2)
    for name, parameter in head.named_parameters():
        if parameter.dim() == 1:
            values = draw(name, *parameter.shape) * 0.05
        else:  # drawn in our order, [H, W, I, O]
            o, i, h, w = parameter.shape
            values = draw(name, h, w, i, o).permute(3, 2, 0, 1) * (0.6 if "bbox" in name else 0.35)
        parameter.data = values.contiguous()
    network = RegionProposalNetwork(
        AnchorGenerator(tuple((s,) for s in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5), head,
        0.7, 0.3, 64, 0.5, {"training": 300, "testing": 150}, {"training": 200, "testing": 80}, 0.7,
    )
    features = {str(i): maps(f"feature{i}", 2, *grid, channels) for i, grid in enumerate(grids)}
    images = ImageList(torch.zeros(2, 3, *padded), sizes)
    gt = [torch.tensor([[10.0, 12, 60, 70], [80, 30, 120, 110], [5, 90, 40, 118]]), torch.tensor([[20.0, 20, 90, 100]])]
    answers: dict = {"gt": [flat(g) for g in gt]}
    for mode in ("train", "test"):
        network.train(mode == "train")
        found, losses = network(images, features, [{"boxes": g} for g in gt])
        answers[mode] = [flat(f) for f in found]
        if losses:
            answers["losses"] = {k: v.item() for k, v in losses.items()}
            sum(losses.values()).backward()
    answers["gradients"] = {
        name: nhwc_weight(p.grad) for name, p in head.named_parameters() if p.numel() < 300
    }
    network.train()
    _, losses = network(images, features, [{"boxes": gt[0]}, {"boxes": torch.zeros(0, 4)}])
    answers["emptyImage"] = {k: v.item() for k, v in losses.items()}
    write("rpn-anchors", "rpn", answers)


def nhwc_weight(gradient: torch.Tensor) -> list:
    return flat(gradient.permute(2, 3, 1, 0)) if gradient.dim() == 4 else flat(gradient)


def roi() -> None:
    n, h, w, scale = 3, 13, 9, 0.25
    drawn = some_boxes("roi/boxes", 24, h / scale, w / scale, 2)
    special = torch.tensor([
        [0, 0, 36, 52], [-20, -20, 60, 80], [8, 8, 8, 8], [30, 40, 20, 10], [-9, -9, -4.5, -4.5], [36, 52, 44, 60],
        [34, 50, 39.9, 55.9], [-3.9, -3.9, 0, 0], [4, 4, 4.5, 40], [0, 0, 0, 0],
    ])
    boxes = torch.cat([drawn, special])
    image = torch.arange(len(boxes)) * 7 % n
    rois = torch.cat([image[:, None].float(), boxes], dim=1)
    cases = []
    for channels, size, ratio, aligned in [
        (5, (7, 7), 2, False), (5, (7, 7), 2, True), (8, (2, 3), 0, False), (8, (2, 3), 0, True), (1, (3, 3), 3, False),
        (4, (1, 1), 1, True),
    ]:
        features = maps("roi/features", n, h, w, channels).requires_grad_()
        pooled = roi_align(features, rois, size, scale, ratio, aligned)
        pooled.backward(maps("roi/dy", len(rois), *size, channels))
        cases.append({
            "channels": channels, "size": size, "ratio": ratio, "aligned": aligned,
            "output": nhwc(pooled), "gradient": nhwc(features.grad),
        })
    features = maps("roi/features", n, h, w, 3).requires_grad_()
    pooled = roi_pool(features, rois, (2, 3), scale)
    pooled.backward(maps("roi/dy", len(rois), 2, 3, 3))
    pool = {"output": nhwc(pooled), "gradient": nhwc(features.grad)}

    height, width = 608, 480
    per_image = [some_boxes("multi/0", 25, height, width, 8), some_boxes("multi/1", 15, height, width, 8)]
    pyramid = {str(i): maps(f"multi/P{i}", 2, height // s, width // s, 3) for i, s in enumerate((4, 8, 16, 32))}
    align = MultiScaleRoIAlign(list("0123"), 5, 2)
    pooled = align(pyramid, per_image, [(height, width)] * 2)
    multi = {
        "boxes": [flat(b) for b in per_image], "output": nhwc(pooled),
        "levels": flat(align.map_levels([torch.cat(per_image)])),
    }

    bitmaps = (draw("masks", 3, 40, 33) > 0.2).float()
    bitmaps[1] = 0
    bitmaps[1, 8:30, 5:20] = 1
    proposals = torch.cat([some_boxes("masks/boxes", 6, 40, 33, 3), torch.tensor([[-4.0, -3, 40, 50], [10, 10, 10.2, 10.1]])])
    matched = torch.tensor([0, 1, 2, 1, 0, 1, 2, 1])
    masks = project_masks_on_boxes(bitmaps, proposals, matched, 28)
    write("roi-align", "torchvision", {
        "rois": flat(rois), "maps": [n, h, w], "scale": scale, "align": cases, "pool": pool,
        "multi": multi, "masks": {"boxes": flat(proposals), "matched": flat(matched), "targets": flat(masks)},
    })


if __name__ == "__main__":
    for make in (boxes, anchors, rpn, roi):
        make()
