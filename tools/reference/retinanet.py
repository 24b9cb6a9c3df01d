"""RetinaNet by torchvision: what it finds, its losses and gradients.  python retinanet.py OUT_DIR

Bodies are ResNet-18, pyramids 64 wide; weights are a hash of each tensor's name and index (as `Fixture.weights` makes
them again), so none is stored but the bias of the class layer, whose background is kept silent."""
import json, struct, sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision.models.detection import retinanet as R
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops.feature_pyramid_network import LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

HERE = Path(__file__).parent
OUT = Path(sys.argv[1])
CLASSES, WIDTH, SALT = 6, 64, "retinanet/"
BIAS = "head.classification_head.cls_logits.bias"


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


def rule(name, shape, norms):
    owner, leaf = name.rsplit(".", 1)
    if owner in norms:
        kind = "last_norm_weight" if leaf == "weight" and owner.endswith(".bn2") else "norm_weight"
        return kind if leaf in ("weight", "running_var") else "norm_shift", None
    if leaf == "bias":
        return "bias", None
    gain = {"inner_blocks": 0.5, "layer_blocks": 1.0, "cls_logits": 0.5, "bbox_reg": 0.5}
    fan = float(np.prod(shape[1:]))
    return "uniform", next((g for k, g in gain.items() if k in name), 2 ** 0.5) * (3.0 / fan) ** 0.5


def fill(model):
    state, rules = model.state_dict(), {}
    norms = {k.rsplit(".", 1)[0] for k in state if k.endswith("running_mean") or (k.endswith(".1.weight") and "conv" in k)}
    for name, t in state.items():
        kind, bound = rule(name, t.shape, norms)
        rules[name] = [list(t.shape), kind, bound]
        u = unit(SALT + name, t.numel())
        v = {"norm_weight": 0.5 + u, "last_norm_weight": 0.1 + 0.2 * u, "norm_shift": 0.2 * u - 0.1, "bias": 0.1 * u - 0.05}.get(kind)
        v = (2 * u - 1) * bound if v is None else v
        t.copy_(torch.from_numpy(v.astype(np.float32).reshape(tuple(t.shape))))
    bias = state[BIAS].view(-1, CLASSES)
    bias[:, 0] = -40
    bias[:, 1:] -= 2
    return rules


def build(version):
    body = torchvision.models.resnet18(weights=None, norm_layer=FrozenBatchNorm2d)
    layers = {f"layer{i}": str(i - 2) for i in (2, 3, 4)}
    extra = LastLevelP6P7(WIDTH if version == 1 else 512, WIDTH)
    backbone = BackboneWithFPN(body, layers, [128, 256, 512], WIDTH, extra_blocks=extra)
    anchors = R._default_anchorgen()
    norm = partial(torch.nn.GroupNorm, 32) if version == 2 else None
    head = R.RetinaNetHead(WIDTH, anchors.num_anchors_per_location()[0], CLASSES, norm_layer=norm)
    if version == 2:
        head.regression_head._loss_type = "giou"
    model = R.RetinaNet(backbone, CLASSES, min_size=128, max_size=192, anchor_generator=anchors, head=head, detections_per_img=60)
    with torch.no_grad():
        rules = fill(model)
    return model, rules


def save(path, tensors, meta):
    kinds = {"float32": "F32", "int32": "I32"}
    header, blobs, at = {"__metadata__": meta}, [], 0
    for k, v in tensors.items():
        v = np.ascontiguousarray(v.detach().numpy() if torch.is_tensor(v) else v)
        header[k] = {"dtype": kinds[str(v.dtype)], "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        blobs.append(v.tobytes()); at += v.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def image(name):
    return torch.from_numpy(np.array(Image.open(HERE / f"../fixtures/{name}.png").convert("RGB"))).permute(2, 0, 1).float() / 255


images = [image("a"), image("b")]
boxes = [[[20, 30, 120, 140], [150, 60, 300, 220], [40, 150, 90, 230]], [[10, 20, 200, 300]]]
labels = [[1, 3, 5], [2]]
for version in (1, 2):
    model, rules = build(version)
    out = {f"weights.{BIAS}": model.state_dict()[BIAS]}
    meta = {"salt": SALT, "weights": json.dumps(rules), "made_with": f"torch {torch.__version__}, torchvision {torchvision.__version__}"}
    model.eval()
    with torch.no_grad():
        batch, _ = model.transform(images)
        features = list(model.backbone(batch.tensors).values())
        head = model.head(features)
        for i, f in enumerate(features):
            out[f"p{i + 3}"] = f[:, ::16, ::2, ::2]
        out["logits"] = head["cls_logits"][:, ::16]
        out["deltas"] = head["bbox_regression"][:, ::16]
        for i, found in enumerate(model(images)):
            out[f"detections.{i}.boxes"], out[f"detections.{i}.scores"] = found["boxes"], found["scores"]
            out[f"detections.{i}.labels"] = found["labels"].int()
    model.train()
    for case, count in (("both", 2), ("one", 1)):  # the second image without objects
        targets = [{"boxes": torch.tensor(boxes[i], dtype=torch.float32), "labels": torch.tensor(labels[i])} for i in range(count)]
        targets += [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}] * (2 - count)
        model.zero_grad()
        losses = model(images, targets)
        sum(losses.values()).backward()
        for name, loss in losses.items():
            out[f"{case}.{name}"] = loss.reshape(1)
        for name, p in model.named_parameters():
            g = p.grad
            out[f"{case}.grad.stats.{name}"] = torch.stack([g.norm(), g.sum(), g.abs().max()])
            if g.numel() <= 600 and case == "both":
                out[f"{case}.grad.full.{name}"] = g
    for i in range(2):
        out[f"targets.{i}.boxes"] = np.asarray(boxes[i], dtype=np.float32)
        out[f"targets.{i}.labels"] = np.asarray(labels[i], dtype=np.int32)
    save(OUT / f"retinanet_resnet18_v{version}.safetensors", out, meta)
    print(version, {k: v.tolist() for k, v in out.items() if ".loss" in k or k.endswith(("classification", "bbox_regression"))},
          [len(out[f"detections.{i}.scores"]) for i in range(2)], [out[f"detections.{i}.scores"][:5].tolist() for i in range(2)])
