"""What blocks of torchvision's MobileNets compute on a small image with hashed weights.

    python mobilenet_bodies.py > packages/backbone-mobilenet/test/fixtures/bodies.json

Per network: the names and shapes of the tensors of `features`, and per block shape (N, C, H, W), mean, largest
magnitude, and 24 values spread over the map; then the gradient norm of every parameter for the mean square of the last map.
"""
import json

import numpy as np
import torch
from time_model import fill, hashed
from torchvision.models import mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small

NETWORKS = {"mobilenet_v2": mobilenet_v2, "mobilenet_v3_large": mobilenet_v3_large, "mobilenet_v3_small": mobilenet_v3_small}
WIDTH = 0.5

image = torch.from_numpy((4 * hashed("image", 2 * 3 * 69 * 101) - 2).astype(np.float32).reshape(2, 3, 69, 101))
result = {}
for name, make in NETWORKS.items():
    network = make(width_mult=WIDTH).features.eval()
    fill(torch.nn.ModuleDict({"body": network}))
    blocks, x = [], image
    for block in network:
        x = block(x)
        blocks.append(
            {
                "shape": list(x.shape),
                "mean": x.mean().item(),
                "maximum": x.abs().max().item(),
                "values": x.flatten()[:: max(1, x.numel() // 24)][:24].tolist(),
            }
        )
    x.square().mean().backward()
    gradients = {key: float(f"{p.grad.norm().item():.7g}") for key, p in network.named_parameters()}
    full = make().features.state_dict()
    tensors = {key: list(t.shape) for key, t in full.items() if not key.endswith("num_batches_tracked")}
    result[name] = {"blocks": blocks, "gradients": gradients, "tensors": tensors}
print(json.dumps(result, separators=(",", ":")))
