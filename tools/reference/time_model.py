"""Times torchvision's Mask R-CNN on the work of `npm run bench -- model` and prints one line of JSON.

    python time_model.py predict|train|small|mobilenet [--runs N] [--threads N]
    python time_model.py predict --turns     # one prediction, and one line of JSON, for every line on stdin

Weights, images and targets are computed from hashes, as the TypeScript side computes them.
"""
import argparse
import json
import resource
import sys
import time

import numpy as np
import torch
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNN, MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.mobilenetv3 import mobilenet_v3_large
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.ops.misc import FrozenBatchNorm2d

GAINS = {
    "fpn.inner_blocks": 0.15, "fpn.layer_blocks": 1.0, "cls_logits.weight": 1.0, "rpn.head.bbox_pred.weight": 0.15,
    "cls_score.weight": 2.0, "box_predictor.bbox_pred.weight": 0.5, "mask_fcn_logits.weight": 1.5,
}


def hashed(name: str, count: int) -> np.ndarray:
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.uint32(seed) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2**32


def fill(model: torch.nn.Module) -> None:
    state = model.state_dict()
    last_norm = ".bn3" if any(".bn3." in name for name in state) else ".bn2"
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        owner, leaf = name.rsplit(".", 1)
        u = hashed("dev/" + name, tensor.numel())
        if owner + ".running_mean" in state:
            last = ".layer" in name and owner.endswith(last_norm)
            if leaf == "weight":
                values = 0.1 + 0.2 * u if last else 0.5 + u
            else:
                values = 0.5 + u if leaf == "running_var" else 0.2 * u - 0.1
        elif leaf == "bias":
            values = 0.1 * u - 0.05
        else:
            gain = next((g for part, g in GAINS.items() if part in name), 2**0.5)
            shape = tuple(tensor.shape)
            fan = [shape[0], *shape[2:]] if "conv5_mask" in name else shape[1:]
            values = (2 * u - 1) * gain * (3 / np.prod(fan)) ** 0.5
        tensor.copy_(torch.from_numpy(values.astype(np.float32).reshape(tensor.shape)))


def image(name: str, height: int, width: int) -> torch.Tensor:
    values = hashed(name, height * width * 3).astype(np.float32).reshape(height, width, 3)
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


def target(index: int, size: int, classes: int = 10) -> dict:
    u = hashed(f"target {index}", 40).reshape(10, 4)
    xy, wh = u[:, :2] * 0.6 * size, (0.1 + 0.3 * u[:, 2:]) * size
    boxes = np.concatenate([xy, np.minimum(xy + wh, size - 1)], 1).astype(np.float32)
    masks = np.zeros((10, size, size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[int(y1) : int(y2), int(x1) : int(x2)] = 1
    labels = 1 + torch.arange(10) % classes
    return {"boxes": torch.from_numpy(boxes), "labels": labels, "masks": torch.from_numpy(masks)}


def build(**options) -> MaskRCNN:
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    model = MaskRCNN(backbone, num_classes=91, **options)
    fill(model)
    return model


def with_heads(backbone: torch.nn.Module, width: int, hidden: int, classes: int, **options) -> MaskRCNN:
    """A Mask R-CNN of `width` channels above its backbone, with `hidden` features of a region."""
    model = MaskRCNN(
        backbone,
        box_head=TwoMLPHead(width * 7 * 7, hidden),
        box_predictor=FastRCNNPredictor(hidden, classes),
        mask_head=MaskRCNNHeads(width, (width,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(width, width, classes),
        **options,
    )
    fill(model)
    return model


def build_small() -> MaskRCNN:
    """`maskrcnn_small`: one block in each stage, 64 channels above them, everything learns."""
    body = ResNet(BasicBlock, [1, 1, 1, 1])
    stages = {f"layer{i + 1}": str(i) for i in range(4)}
    backbone = BackboneWithFPN(body, stages, [64, 128, 256, 512], 64)
    kept = {"box_batch_size_per_image": 32, "rpn_pre_nms_top_n_train": 1000, "rpn_post_nms_top_n_train": 1000}
    return with_heads(backbone, 64, 256, 5, min_size=128, max_size=192, **kept)


def build_mobilenet() -> MaskRCNN:
    """`maskrcnn_mobilenet_v3_large_320_fpn`: the last block of every stride from 4 to 32, 128 channels above them."""
    body = mobilenet_v3_large(norm_layer=FrozenBatchNorm2d).features
    for block in body[:7]:  # torchvision's three lower stages: the stem, strides 4 and 8
        block.requires_grad_(False)
    blocks = {"3": "0", "6": "1", "12": "2", "16": "3"}
    backbone = BackboneWithFPN(body, blocks, [24, 40, 112, 960], 128)
    model = with_heads(backbone, 128, 1024, 91, min_size=320, max_size=640)
    with torch.no_grad():  # hashed weights make large maps: all scores were 1
        for level in backbone.fpn.inner_blocks:
            level[0].weight.div_(128)
    return model


def predictions():
    """One prediction to RLE after the other: seconds, processor seconds and how many objects."""
    import pycocotools.mask as coco

    model = build(min_size=800, max_size=1333).eval()
    images = [image("image", 800, 1216)]
    with torch.no_grad():
        while True:
            start, before = time.perf_counter(), time.process_time()
            (found,) = model(images)
            masks = (found["masks"][:, 0] > 0.5).numpy().astype(np.uint8)
            runs_of = coco.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
            yield time.perf_counter() - start, time.process_time() - before, len(runs_of)


def predict(runs: int) -> dict:
    times, cpu, found = zip(*(one for _, one in zip(range(runs + 1), predictions())))
    return {"times": times[1:], "first": times[0], "cpu": cpu[1:], "detections": found[0]}


def turns() -> None:
    answers = predictions()
    for _ in sys.stdin:
        wall, cpu, found = next(answers)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "detections": found, "peakBytes": peak}), flush=True)


def train(runs: int) -> dict:
    model = build(min_size=512, max_size=512).train()
    return steps(model, sgd(model), runs, count=2, size=512, classes=10)


def mobilenet(runs: int) -> dict:
    model = build_mobilenet().train()
    return steps(model, sgd(model), 3 * runs, count=4, size=320, classes=10)


def sgd(model: MaskRCNN) -> torch.optim.SGD:
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, weight_decay=1e-4)


def small(runs: int) -> dict:
    model = build_small().train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-2)
    return steps(model, optimiser, 10 * runs, count=4, size=128, classes=4)


def steps(model: MaskRCNN, optimiser, runs: int, *, count: int, size: int, classes: int) -> dict:
    times, cpu, losses = [], [], None
    for _ in range(runs + 1):
        images = [image(f"image {i}", size, size) for i in range(count)]
        targets = [target(i, size, classes) for i in range(count)]
        start, before = time.perf_counter(), time.process_time()
        parts = model(images, targets)
        optimiser.zero_grad()
        sum(parts.values()).backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
        losses = losses or {name: float(value.detach()) for name, value in parts.items()}
    weights = sum(p.numel() for p in model.parameters())
    return {"times": times[1:], "first": times[0], "cpu": cpu[1:], "losses": losses, "weights": weights}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["predict", "train", "small", "mobilenet"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.turns:
        sys.exit(turns())
    works = {"predict": predict, "train": train, "small": small, "mobilenet": mobilenet}
    result = works[arguments.what](arguments.runs)
    result["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))
