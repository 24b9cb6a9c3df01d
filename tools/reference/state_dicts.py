"""What the checkpoints of torchvision's detectors hold: how many tensors and parameters, and a digest of every name
and shape (one `name shape` a line, sorted, batch counters left out).

    python state_dicts.py > state-dicts.json
"""
import hashlib
import json

import torch
from torchvision.models.detection import FasterRCNN, MaskRCNN, fasterrcnn_resnet50_fpn_v2, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

BODIES = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
]


def facts(model: torch.nn.Module) -> dict:
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    lines = sorted(f"{name} {list(value.shape)}" for name, value in state.items())
    return {
        "tensors": len(state),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def v1(body: str, kind: type) -> torch.nn.Module:
    backbone = resnet_fpn_backbone(
        backbone_name=body, weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    return kind(backbone, num_classes=91)


result = {}
with torch.device("meta"):
    for body in BODIES:
        result[f"maskrcnn_{body}_fpn"] = facts(v1(body, MaskRCNN))
    result["fasterrcnn_resnet50_fpn"] = facts(v1("resnet50", FasterRCNN))
    none = dict(weights=None, weights_backbone=None)
    result["maskrcnn_resnet50_fpn_v2"] = facts(maskrcnn_resnet50_fpn_v2(**none))
    result["fasterrcnn_resnet50_fpn_v2"] = facts(fasterrcnn_resnet50_fpn_v2(**none))
print(json.dumps(result, indent=2))
