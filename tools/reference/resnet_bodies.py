"""What torchvision's ResNets compute, one block a stage, on a small image with hashed weights.

    python resnet_bodies.py > resnet-bodies.json

Per network and stage: shape (N, C, H, W), mean, largest magnitude, and 24 values spread over the map.
"""
import json

import numpy as np
import torch
from time_model import fill, hashed
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

NETWORKS = {
    "basic": dict(block=BasicBlock),
    "bottleneck": dict(block=Bottleneck),
    "resnext": dict(block=Bottleneck, groups=32, width_per_group=4),
    "wide": dict(block=Bottleneck, width_per_group=128),
}


def stages(network: ResNet, x: torch.Tensor) -> list[torch.Tensor]:
    x = network.relu(network.bn1(network.conv1(x)))
    found = [x]
    x = network.maxpool(x)
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = layer(x)
        found.append(x)
    return found


result = {}
image = torch.from_numpy((4 * hashed("image", 2 * 3 * 45 * 61) - 2).astype(np.float32).reshape(2, 3, 45, 61))
for name, options in NETWORKS.items():
    network = ResNet(options.pop("block"), [1, 1, 1, 1], **options).eval()
    fill(torch.nn.ModuleDict({"body": network}))
    with torch.no_grad():
        maps = stages(network, image)
    result[name] = [
        {
            "shape": list(m.shape),
            "mean": m.mean().item(),
            "maximum": m.abs().max().item(),
            "values": m.flatten()[:: max(1, m.numel() // 24)][:24].tolist(),
        }
        for m in maps
    ]
print(json.dumps(result))
