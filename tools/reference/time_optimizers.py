"""Times PyTorch's optimizers on many tensors of one size: time_optimizers.py TENSORS SIZE ROUNDS. Prints JSON."""
import json
import sys
import time

import torch

count, size, rounds = (int(text) for text in sys.argv[1:])
torch.manual_seed(0)


def times_of(make):
    parameters = [torch.nn.Parameter(torch.randn(size)) for _ in range(count)]
    for parameter in parameters:
        parameter.grad = torch.randn(size)
    optimizer = make(parameters)
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
    return times[2:]


print(
    json.dumps(
        {
            "sgd, torch": times_of(lambda p: torch.optim.SGD(p, 1e-3, momentum=0.9, weight_decay=1e-2)),
            "adamw, torch": times_of(lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=1e-2)),
        }
    )
)
