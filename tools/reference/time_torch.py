"""Times single operations in PyTorch for `npm run bench -- engines --python PATH`.

Reads one JSON object per line, answers each with {"ms": mean milliseconds of so many runs}, or {} for work it does not know.
The first run of a kind makes its inputs and warms up outside of the clock.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
torch.set_grad_enabled(False)
clock = time.process_time if sys.argv[2] == "cpu" else time.perf_counter
print(f"torch {torch.__version__}", flush=True)


def conv(work):
    k, s = work["kernel"], work["stride"]
    x = torch.rand(1, work["in"], work["h"], work["w"])
    w = torch.rand(work["out"], work["in"], k, k)
    dy = torch.rand_like(F.conv2d(x, w, stride=s, padding=k // 2))
    if work["pass"] == "forward":
        return lambda: F.conv2d(x, w, stride=s, padding=k // 2)
    mask = [work["pass"] == "input gradient", work["pass"] == "filter gradient", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, [s, s], [k // 2] * 2, [1, 1], False, [0, 0], 1, mask)


def other(work):
    nchw = lambda shape: [shape[0], shape[3], *shape[1:3]] if len(shape) == 4 else shape
    x = [torch.rand(nchw(shape)) for shape in work["shapes"]]
    ops = {
        "add": lambda: x[0] + x[1],
        "multiply": lambda: x[0] * x[1],
        "multiply by channel": lambda: x[0] * x[1][:, None, None],
        "relu": lambda: x[0].relu(),
        "sigmoid": lambda: x[0].sigmoid(),
        "greater": lambda: x[0] > x[1],
        "sum over space": lambda: x[0].sum((0, 2, 3)),
        "sum of all": lambda: x[0].sum(),
        "max-pool 3x3 stride 2": lambda: F.max_pool2d(x[0], 3, 2),
        "upsample by 2": lambda: F.interpolate(x[0], scale_factor=2, mode="nearest"),
        "pad": lambda: F.pad(x[0], (1, 1, 1, 1)),
        "concatenate": lambda: torch.cat(x, 0),
        "transpose": lambda: x[0].permute(0, 2, 3, 1).contiguous(),
        "matMul": lambda: x[0] @ x[1],
    }
    return ops.get(work["op"])


last, run = None, None
for line in sys.stdin:
    request = json.loads(line)
    work, repeats = request["work"], request["repeats"]
    if work != last:
        run = conv(work) if work["op"] == "conv" else other(work)
        last = work
        if run:
            run(), run()
    if run is None:
        print("{}", flush=True)
        continue
    start = clock()
    for _ in range(repeats):
        run()
    print(json.dumps({"ms": 1e3 * (clock() - start) / repeats}), flush=True)
