"""Answers of PyTorch's optimizers and schedules for packages/optim/test: writes fixtures/optimizers.json.

python tools/reference/optimizers.py
"""

import json
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parents[2] / "packages/optim/test/fixtures/optimizers.json"
STEPS = 5


def gradients(step: int) -> list[torch.Tensor]:
    """The same easy numbers are made in the test."""
    return [torch.tensor([((i * 7 + step * 3) % 11 - 5) / 10 for i in range(n)]) for n in (6, 3)]


def run(make, rates=None):
    params = [torch.nn.Parameter(torch.tensor([(i * 5 % 7 - 3) / 4 for i in range(n)])) for n in (6, 3)]
    optimizer = make(params)
    for step in range(STEPS):
        if rates is not None:
            for group in optimizer.param_groups:
                group["lr"] = rates[step]
        for param, gradient in zip(params, gradients(step)):
            param.grad = gradient
        optimizer.step()
    return [p.detach().tolist() for p in params]


def schedule(make, base=1.0, steps=40):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


sched = torch.optim.lr_scheduler
answers = {
    "sgd": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01)),
    "sgd_plain": run(lambda p: torch.optim.SGD(p, lr=0.1)),
    "nesterov": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)),
    "adamw": run(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05)),
    "sgd_changing_rate": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), [0.1, 0.2, 0.05, 0.01, 0.3]),
    "groups": run(
        lambda p: torch.optim.SGD(
            [{"params": [p[0]], "weight_decay": 0.01}, {"params": [p[1]], "weight_decay": 0.0, "lr": 0.01}],
            lr=0.1,
            momentum=0.9,
        )
    ),
    "schedules": {
        "step": schedule(lambda o: sched.StepLR(o, step_size=15, gamma=0.1)),
        "multistep": schedule(lambda o: sched.MultiStepLR(o, milestones=[16, 22], gamma=0.1)),
        "cosine": schedule(lambda o: sched.CosineAnnealingLR(o, T_max=40)),
        "poly": schedule(lambda o: sched.PolynomialLR(o, total_iters=40, power=0.9)),
        "warmup": schedule(lambda o: sched.LinearLR(o, start_factor=0.001, total_iters=9)),
    },
}
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(answers, indent=1) + "\n")
print(OUT)
