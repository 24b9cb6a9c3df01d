"""Mask R-CNN (ResNet-50, FPN) as detectron2 and mmdetection define it, written from what they publish.
python foreign_detectors.py OUT_DIR

Nothing of ours and no detector of anybody else is in here: convolutions of torch, RoIAlign and NMS of torchvision (which
both programs call, or copy), and the rules of either program around them: their names of tensors, the order of channels,
the stride of a bottleneck, the background last, boxes and masks of objects alone, anchors around the corner of a cell.
Weights are a hash of each tensor's name and index (as `Fixture.weights` makes them again) at the shapes of the published
files for COCO, so none is stored; nor are the two pictures, which are hashed as well."""
import json, math, struct, sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torchvision.ops import nms, roi_align

OUT = Path(sys.argv[1])
CLASSES, PROPOSALS, DETECTIONS = 80, 100, 20
SIZES = [(64, 96), (80, 64)]
BLOCKS, PLANES = [3, 4, 6, 3], [64, 128, 256, 512]
STRIDES = [4, 8, 16, 32, 64]


def unit(name, n):
    h = 0x811C9DC5
    for b in name.encode():
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = (np.uint32(h) + np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9)).astype(np.uint32)
        x ^= x >> np.uint32(16); x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15); x *= np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 4294967296.0


def picture(i):
    """Whole numbers 0 to 255, RGB: patches of 4 x 4, each of a colour of its own."""
    height, width = SIZES[i]
    patches = np.floor(unit(f"picture/{i}", height // 4 * (width // 4) * 3) * 256).reshape(height // 4, width // 4, 3)
    return torch.from_numpy(patches.repeat(4, 0).repeat(4, 1))


class Detectron2:
    """Names of `mask_rcnn_R_50_FPN`; an MSRA body."""
    salt, stride_in, swaps = "detectron2/", "1x1", True
    mean, std = [103.53, 116.28, 123.675], [1.0, 1.0, 1.0]
    stem, stem_norm = "backbone.bottom_up.stem.conv1", "backbone.bottom_up.stem.conv1.norm"
    block = staticmethod(lambda stage, b: f"backbone.bottom_up.res{stage + 2}.{b}")
    conv = staticmethod(lambda block, i: (f"{block}.conv{i}", f"{block}.conv{i}.norm"))
    shortcut = staticmethod(lambda block: (f"{block}.shortcut", f"{block}.shortcut.norm"))
    lateral, output = "backbone.fpn_lateral{2}", "backbone.fpn_output{2}"
    rpn = [f"proposal_generator.rpn_head.{n}" for n in ("conv", "objectness_logits", "anchor_deltas")]
    box = [f"roi_heads.{n}" for n in ("box_head.fc1", "box_head.fc2", "box_predictor.cls_score", "box_predictor.bbox_pred")]
    mask = [f"roi_heads.mask_head.mask_fcn{i}" for i in (1, 2, 3, 4)]
    deconv, logits = "roi_heads.mask_head.deconv", "roi_heads.mask_head.predictor"
    anchors = staticmethod(lambda side: [(math.sqrt(side * side / r), r * math.sqrt(side * side / r)) for r in (0.5, 1.0, 2.0)])

    @staticmethod
    def level(side):  # assign_boxes_to_levels
        return torch.floor(4 + torch.log2(side / 224 + 1e-8)).clamp(2, 5).long() - 2

    @staticmethod
    def clamp(d):  # Box2BoxTransform
        return d.clamp(max=math.log(1000.0 / 16))


class Mmdetection(Detectron2):
    """Names of `mask-rcnn_r50-caffe_fpn`."""
    salt = "mmdetection/"
    stem, stem_norm = "backbone.conv1", "backbone.bn1"
    block = staticmethod(lambda stage, b: f"backbone.layer{stage + 1}.{b}")
    conv = staticmethod(lambda block, i: (f"{block}.conv{i}", f"{block}.bn{i}"))
    shortcut = staticmethod(lambda block: (f"{block}.downsample.0", f"{block}.downsample.1"))
    lateral, output = "neck.lateral_convs.{0}.conv", "neck.fpn_convs.{0}.conv"
    rpn = [f"rpn_head.{n}" for n in ("rpn_conv", "rpn_cls", "rpn_reg")]
    box = [f"roi_head.bbox_head.{n}" for n in ("shared_fcs.0", "shared_fcs.1", "fc_cls", "fc_reg")]
    mask = [f"roi_head.mask_head.convs.{i}.conv" for i in range(4)]
    deconv, logits = "roi_head.mask_head.upsample", "roi_head.mask_head.conv_logits"
    # AnchorGenerator: base sizes are the strides, scale 8
    anchors = staticmethod(lambda side: [(side * math.sqrt(1 / r), side * math.sqrt(r)) for r in (0.5, 1.0, 2.0)])

    @staticmethod
    def level(side):  # SingleRoIExtractor.map_roi_levels, finest_scale 56
        return torch.floor(torch.log2(side / 56 + 1e-6)).clamp(0, 3).long()

    @staticmethod
    def clamp(d):  # DeltaXYWHBBoxCoder, wh_ratio_clip 16 / 1000
        return d.clamp(-abs(math.log(16 / 1000)), abs(math.log(16 / 1000)))


class MmdetectionPytorch(Mmdetection):
    """Names of `mask-rcnn_r50_fpn`: a body of torchvision's."""
    salt, stride_in, swaps = "mmdetection-pytorch/", "3x3", False
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class Network:
    def __init__(self, rules, salt, class_gain, dtype, made):
        self.r, self.salt, self.class_gain, self.dtype, self.made, self.state, self.weights = rules, salt, class_gain, dtype, made, {}, {}

    def tensor(self, name, shape, kind, bound=None):
        if name not in self.state:
            self.weights[name] = [list(shape), kind, bound]
            if (name, bound) in self.made:
                self.state[name] = self.made[name, bound].to(self.dtype)
                return self.state[name]
            u = unit(self.salt + name, int(np.prod(shape)))
            v = {"norm_weight": 0.5 + u, "last_norm_weight": 0.1 + 0.2 * u, "norm_shift": 0.2 * u - 0.1, "bias": 0.1 * u - 0.05}.get(kind)
            v = (2 * u - 1) * bound if v is None else v
            self.made[name, bound] = torch.from_numpy(v.astype(np.float32).reshape(shape))
            self.state[name] = self.made[name, bound].to(self.dtype)
        return self.state[name]

    def weight(self, name, shape, gain=2**0.5, fan=None):
        return self.tensor(f"{name}.weight", shape, "uniform", gain * (3.0 / (fan or np.prod(shape[1:]))) ** 0.5)

    def linear(self, x, name, out, gain=2**0.5):
        return F.linear(x, self.weight(name, (out, x.shape[1]), gain), self.tensor(f"{name}.bias", (out,), "bias"))

    def conv(self, x, name, out, kernel, gain=2**0.5):
        w = self.weight(name, (out, x.shape[1], kernel, kernel), gain)
        return F.conv2d(x, w, self.tensor(f"{name}.bias", (out,), "bias"), padding=kernel // 2)

    def norm_conv(self, x, names, out, kernel, stride=1, gain=2**0.5, last=False):
        name, norm = names
        x = F.conv2d(x, self.weight(name, (out, x.shape[1], kernel, kernel), gain), stride=stride, padding=kernel // 2)
        n = {k: self.tensor(f"{norm}.{k}", (out,), kind) for k, kind in (
            ("weight", "last_norm_weight" if last else "norm_weight"), ("bias", "norm_shift"),
            ("running_mean", "norm_shift"), ("running_var", "norm_weight"))}
        scale = n["weight"] / torch.sqrt(n["running_var"] + 1e-5)
        return x * scale[:, None, None] + (n["bias"] - n["running_mean"] * scale)[:, None, None]

    def body(self, x):
        r, maps = self.r, []
        small = 1 / 60 if r.std[0] == 1 else 1  # pixels of 0 to 255 with a spread of 1 come out that much larger
        x = F.relu(self.norm_conv(x, (r.stem, r.stem_norm), 64, 7, 2, 2**0.5 * small))
        x = F.max_pool2d(x, 3, 2, 1)
        for stage, (blocks, planes) in enumerate(zip(BLOCKS, PLANES)):
            for b in range(blocks):
                stride = 2 if stage and not b else 1
                first, second = (stride, 1) if r.stride_in == "1x1" else (1, stride)
                block = r.block(stage, b)
                y = F.relu(self.norm_conv(x, r.conv(block, 1), planes, 1, first))
                y = F.relu(self.norm_conv(y, r.conv(block, 2), planes, 3, second))
                y = self.norm_conv(y, r.conv(block, 3), planes * 4, 1, last=True)
                x = F.relu(y + (x if b else self.norm_conv(x, r.shortcut(block), planes * 4, 1, stride, 1)))
            maps.append(x)
        return maps

    def pyramid(self, maps):
        r, out = self.r, [None] * 4
        above = None
        for i in (3, 2, 1, 0):
            inner = self.conv(maps[i], r.lateral.format(i, i + 1, i + 2), 256, 1, 0.5)
            above = inner if above is None else inner + F.interpolate(above, scale_factor=2, mode="nearest")
            out[i] = self.conv(above, r.output.format(i, i + 1, i + 2), 256, 3, 1)
        return out + [F.max_pool2d(out[3], 1, 2)]

    def decode(self, boxes, deltas, weights):
        dx, dy, dw, dh = (deltas / torch.tensor(weights, dtype=self.dtype)).unbind(1)
        w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        x, y = boxes[:, 0] + w / 2 + dx * w, boxes[:, 1] + h / 2 + dy * h
        w, h = torch.exp(self.r.clamp(dw)) * w, torch.exp(self.r.clamp(dh)) * h
        return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)

    def propose(self, levels, sizes):
        heads = []
        for side, f in zip(STRIDES, levels):
            x = F.relu(self.conv(f, self.r.rpn[0], 256, 3, 1))
            logits, deltas = self.conv(x, self.r.rpn[1], 3, 1, 1), self.conv(x, self.r.rpn[2], 12, 1, 0.15)
            n, _, h, w = logits.shape
            ys, xs = torch.meshgrid(torch.arange(h) * side, torch.arange(w) * side, indexing="ij")
            shape = torch.tensor([[-w / 2, -h / 2, w / 2, h / 2] for w, h in self.r.anchors(8 * side)], dtype=self.dtype)
            anchors = (torch.stack([xs, ys, xs, ys], 2).reshape(-1, 1, 4).to(self.dtype) + shape).reshape(-1, 4)
            heads.append((anchors, logits.permute(0, 2, 3, 1).reshape(n, -1),
                          deltas.reshape(n, 3, 4, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, 4)))
        found = []
        for i, size in enumerate(sizes):
            boxes, scores, groups = [], [], []
            for level, (anchors, logits, deltas) in enumerate(heads):
                best = logits[i].sort(descending=True, stable=True).indices[:1000]
                boxes.append(clip(self.decode(anchors[best], deltas[i][best], (1.0, 1, 1, 1)), size))
                scores.append(logits[i][best]); groups.append(torch.full_like(best, level))
            found.append(suppress(torch.cat(boxes), torch.cat(scores), torch.cat(groups), 0.7, PROPOSALS)[0])
        return found

    def pool(self, levels, boxes, image, size):
        side = torch.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
        out = torch.zeros(len(boxes), 256, size, size, dtype=self.dtype)
        for level in range(4):
            at = torch.where(self.r.level(side) == level)[0]
            out[at] = roi_align(levels[level][image:image + 1], [boxes[at]], size, 1 / STRIDES[level], 0, True)
        return out

    def detect(self, pictures):
        r, sizes = self.r, [tuple(p.shape[:2]) for p in pictures]
        batch = torch.zeros(len(pictures), 3, *(math.ceil(max(s[k] for s in sizes) / 32) * 32 for k in (0, 1)), dtype=self.dtype)
        for i, p in enumerate(pictures):
            p = p.flip(2) if r.swaps else p
            p = (p.to(self.dtype) - torch.tensor(r.mean, dtype=self.dtype)) / torch.tensor(r.std, dtype=self.dtype)
            batch[i, :, :p.shape[0], :p.shape[1]] = p.permute(2, 0, 1)
        levels = self.pyramid(self.body(batch))
        out = []
        for i, proposals in enumerate(self.propose(levels, sizes)):
            x = self.pool(levels, proposals, i, 7).flatten(1)
            x = F.relu(self.linear(F.relu(self.linear(x, r.box[0], 1024)), r.box[1], 1024))
            scores = self.linear(x, r.box[2], CLASSES + 1, self.class_gain).softmax(1)[:, :-1]  # the background is last
            deltas = self.linear(x, r.box[3], 4 * CLASSES, 0.5).reshape(-1, CLASSES, 4)
            row, label = torch.where(scores > 0.05)
            boxes = clip(self.decode(proposals[row], deltas[row, label], (10.0, 10, 5, 5)), sizes[i])
            boxes, keep, score, label = suppress(boxes, scores[row, label], label, 0.5, DETECTIONS)
            x = self.pool(levels, boxes, i, 14)
            for name in r.mask:
                x = F.relu(self.conv(x, name, 256, 3))
            w = self.weight(r.deconv, (256, 256, 2, 2), fan=1024)
            x = F.relu(F.conv_transpose2d(x, w, self.tensor(f"{r.deconv}.bias", (256,), "bias"), stride=2))
            masks = self.conv(x, r.logits, CLASSES, 1, 1.5)[torch.arange(len(label)), label].sigmoid()
            out.append((boxes, score, label, masks, paste(masks, boxes, sizes[i])))
        return out


def clip(boxes, size):
    height, width = size
    return torch.stack([boxes[:, 0].clamp(0, width), boxes[:, 1].clamp(0, height), boxes[:, 2].clamp(0, width), boxes[:, 3].clamp(0, height)], 1)


def suppress(boxes, scores, groups, threshold, limit):
    whole = torch.where((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))[0]
    boxes, scores, groups = boxes[whole], scores[whole], groups[whole]
    kept = torch.cat([m[nms(boxes[m], scores[m], threshold)] for m in (torch.where(groups == g)[0] for g in groups.unique())])
    kept = kept[scores[kept].sort(descending=True, stable=True).indices][:limit]
    return boxes[kept], kept, scores[kept], groups[kept]


def paste(masks, boxes, size):
    """Sampled at the centres of pixels of the box as it is, object from one half on (both programs)."""
    height, width = size
    x0, y0, x1, y1 = boxes.unbind(1)
    ys = ((torch.arange(height) + 0.5 - y0[:, None]) / (y1 - y0)[:, None] * 2 - 1)[:, :, None].expand(-1, height, width)
    xs = ((torch.arange(width) + 0.5 - x0[:, None]) / (x1 - x0)[:, None] * 2 - 1)[:, None, :].expand(-1, height, width)
    return F.grid_sample(masks[:, None], torch.stack([xs, ys], 3).to(masks.dtype), align_corners=False)[:, 0]


def save(path, tensors, meta):
    kinds = {"float32": "F32", "int32": "I32", "uint8": "U8"}
    header, blobs, at = {"__metadata__": meta}, [], 0
    for k, v in tensors.items():
        v = np.ascontiguousarray(v)
        header[k] = {"dtype": kinds[str(v.dtype)], "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        blobs.append(v.tobytes()); at += v.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def agreement(found, sure):
    """What double precision finds otherwise is on an edge, where nobody could be held to an answer."""
    if any(a[2].tolist() != b[2].tolist() for a, b in zip(found, sure)):
        return math.inf
    return max(float((a[k] - b[k]).abs().max()) for a, b in zip(found, sure) for k in (0, 1))


for rules in (Detectron2, Mmdetection, MmdetectionPytorch):
    pictures, out = [picture(0), picture(1)], {}
    # The first numbers, and the first sureness of the classifier, that give several classes and none on an edge.
    for trial in range(16):
        if trial % 2 == 0:
            made = {}
        salt, gain = f"{rules.salt}{trial // 2}/", (1.0, 0.6)[trial % 2]
        with torch.no_grad():
            network, exact = Network(rules, salt, gain, torch.float32, made), Network(rules, salt, gain, torch.float64, made)
            found = network.detect(pictures)
            kinds = min(len(set(labels.tolist())) for _, _, labels, _, _ in found)
            worst = agreement(found, exact.detect(pictures)) if kinds > 2 else math.inf
        print(salt, gain, f"{worst:.1e}", [len(f[2]) for f in found], kinds, [f[1][[0, -1]].tolist() for f in found], flush=True)
        if worst < 1e-4:
            break
    else:
        raise SystemExit("none fits")
    for i, (boxes, scores, labels, _, soft) in enumerate(found):
        bits = (soft >= 0.5).numpy()
        print(salt, i, "areas", bits.sum((1, 2)).tolist())
        out[f"detections.{i}.boxes"], out[f"detections.{i}.scores"] = boxes.numpy(), scores.numpy()
        out[f"detections.{i}.labels"] = labels.numpy().astype(np.int32)
        out[f"detections.{i}.masks.bits"] = np.packbits(bits)
        out[f"detections.{i}.masks.shape"] = np.asarray(bits.shape, dtype=np.int32)
    meta = {"salt": salt, "weights": json.dumps(network.weights), "made_with": f"torch {torch.__version__}, torchvision {torchvision.__version__}"}
    save(OUT / f"foreign_{rules.salt[:-1]}.safetensors", out, meta)
