"""What torchvision's Faster R-CNNs on MobileNetV3 find in a small image with hashed weights.

    python mobilenet_detectors.py > packages/two-stage/test/fixtures/mobilenet-detectors.json

Names and shapes of all tensors; then, of the 320 variant with the smallest score threshold, the first boxes, scores and
labels, and samples of the pyramid's maps. Image and weights come from hashes, as the TypeScript side computes them.
"""
import json

import torch
from time_model import fill, image
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

model = fasterrcnn_mobilenet_v3_large_320_fpn(
    weights=None, weights_backbone=None, num_classes=5, box_score_thresh=0.0, rpn_score_thresh=0.0
).eval()
fill(model)
with torch.no_grad():  # else every score is 1, and which of two boxes is kept is up to their order
    for level in model.backbone.fpn.inner_blocks:
        level[0].weight.mul_(1 / 128)
kept = {}


def keep(_, __, maps):
    kept["pyramid"] = [
        {"shape": list(m.shape), "maximum": m.abs().max().item(), "values": m.flatten()[:: m.numel() // 24][:24].tolist()}
        for m in maps.values()
    ]


model.backbone.register_forward_hook(keep)
with torch.no_grad():
    (found,) = model([image("image", 96, 128)])
state = {k: list(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
print(
    json.dumps(
        {
            "tensors": state,
            "pyramid": kept["pyramid"],
            "count": len(found["scores"]),
            "boxes": found["boxes"][:20].flatten().tolist(),
            "scores": found["scores"][:20].tolist(),
            "labels": found["labels"][:20].tolist(),
        },
        separators=(",", ":"),
    )
)
