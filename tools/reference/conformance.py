"""Answers that every engine must give: ops, their gradients and small networks, in float64 by PyTorch.

Run: python tools/reference/conformance.py
Writes packages/tfjs-backend-onnxruntime/conformance/answers.json, which holds the list of cases, too:
`src/conformance/ops.ts` says how tfjs does each `op`, this file how PyTorch does. Inputs are computed on both
sides from their name and rounded to float32. Outputs with many values are stored as a sample.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

OUT = Path(__file__).parents[2] / "packages/tfjs-backend-onnxruntime/conformance/answers.json"
SAMPLE = 120  # values stored of an output that has more
torch.set_default_dtype(torch.float64)
cases = []


def uniform(name, size):
    """`size` numbers in [0, 1), the same as in `src/conformance/inputs.ts`."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF  # FNV-1a
    x = (np.uint64(seed) + np.arange(size, dtype=np.uint64) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return (x ^ (x >> np.uint64(16))) / 2**32


def values(name, shape, low, high):
    size = int(np.prod(shape))
    return (low + (high - low) * uniform(name, size)).astype(np.float32).reshape(shape)


def stored(tensor):
    flat = tensor.detach().numpy().astype(np.float64).reshape(-1)
    step = max(1, math.ceil(flat.size / SAMPLE))
    while flat.size % step == 0 and step > 1:
        step += 1  # a step that divides the size would see the same channels again and again
    return {
        "shape": list(tensor.shape),
        "step": step,
        # nine digits are two more than float32 has
        "values": [None if math.isnan(v) else float(f"{v:.9g}") for v in flat[::step]],
        "scale": float(f"{np.nanmax(np.abs(flat), initial=0):.9g}"),
    }


def case(name, op, inputs, fn, attrs=None, grad=True):
    """`inputs`: (shape, low, high) of float32, or a list of int32 values."""
    tensors, specs = [], []
    for i, spec in enumerate(inputs):
        if isinstance(spec, list):
            specs.append({"shape": [len(spec)], "int32": spec})
            tensors.append(torch.tensor(spec, dtype=torch.int64))
            continue
        shape, low, high = spec
        specs.append({"shape": list(shape), "name": f"{name}/{i}", "low": low, "high": high})
        data = torch.tensor(values(f"{name}/{i}", shape, low, high).astype(np.float64))
        tensors.append(data.requires_grad_(grad))
    y = fn(*tensors)
    entry = {"name": name, "op": op, "inputs": specs, "attrs": attrs or {}, "output": stored(y)}
    if grad:
        dy = torch.tensor(values(f"{name}/dy", tuple(y.shape), -1, 1).astype(np.float64))
        floats = [t for t in tensors if t.dtype == torch.float64]
        grads = torch.autograd.grad(y, floats, dy, allow_unused=True)
        entry["gradients"] = [stored(g if g is not None else torch.zeros_like(t)) for g, t in zip(grads, floats)]
    cases.append(entry)


U = lambda *shape: (shape, -1, 1)
P = lambda *shape: (shape, 0.2, 2)  # positive, away from zero


# Convolutions: NHWC images, HWIO filters.
def pads(size, kernel, stride, pad, dilation):
    if pad == "valid":
        return (0, 0)
    if pad != "same":
        return (pad, pad)
    total = max(0, (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return (total // 2, total - total // 2)


def conv(stride, pad, dilation=1):
    def fn(x, w, *rest):
        top, bottom = pads(x.shape[1], w.shape[0], stride, pad, dilation)
        left, right = pads(x.shape[2], w.shape[1], stride, pad, dilation)
        xp = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
        y = F.conv2d(xp, w.permute(3, 2, 0, 1), *rest, stride=stride, dilation=dilation)
        return y.permute(0, 2, 3, 1)

    return fn


for n, h, w, c, k, kh, kw, s, p in [
    (1, 7, 9, 16, 16, 3, 3, 1, "same"),
    (3, 7, 10, 16, 32, 3, 3, 1, 1),
    (1, 9, 6, 20, 12, 3, 3, 1, "valid"),
    (1, 5, 8, 3, 8, 3, 3, 1, "same"),
    (2, 9, 11, 16, 16, 3, 3, 2, "same"),
    (1, 10, 12, 16, 16, 3, 3, 2, "same"),
    (3, 9, 8, 16, 24, 3, 3, 2, 1),
    (1, 12, 9, 16, 17, 3, 3, 2, "valid"),
    (2, 15, 13, 3, 8, 7, 7, 2, 3),
    (1, 15, 14, 3, 6, 7, 7, 2, "valid"),
    (3, 5, 7, 32, 20, 1, 1, 1, "valid"),
    (2, 6, 7, 32, 16, 1, 1, 2, "valid"),
    (1, 8, 9, 16, 16, 5, 3, 1, "same"),
    (1, 8, 9, 16, 16, 1, 5, 1, "same"),
    (1, 9, 10, 16, 16, 2, 2, 2, "valid"),
    (1, 6, 5, 16, 3, 3, 3, 1, 2),
    (1, 11, 13, 8, 8, 4, 4, 3, "valid"),
    (1, 1, 1, 64, 16, 3, 3, 1, "same"),
]:
    name = f"conv2d {n}x{h}x{w}x{c} by {kh}x{kw}x{k} stride {s} pad {p}"
    case(name, "conv2d", [U(n, h, w, c), U(kh, kw, c, k)], conv(s, p), {"strides": s, "pad": p})
for d in (2, 3):
    name = f"conv2d dilated {d}"
    case(name, "conv2d", [U(2, 9, 11, 16), U(3, 3, 16, 16)], conv(1, "same", d), {"strides": 1, "pad": "same", "dilations": d}, grad=False)
for act in ("linear", "relu"):
    for k in (1, 3):
        fn = lambda x, w, b: (F.relu if act == "relu" else (lambda t: t))(conv(1, "same")(x, w, b))
        case(f"fused conv2d {k}x{k} bias {act}", "fusedConv2D", [U(2, 6, 7, 32), U(k, k, 32, 24), U(24)], fn, {"activation": act})


def depthwise(stride, pad, dilation=1):
    def fn(x, w):  # w [kh, kw, channels, multiplier]
        kh, kw, channels, multiplier = w.shape
        top, bottom = pads(x.shape[1], kh, stride, pad, dilation)
        left, right = pads(x.shape[2], kw, stride, pad, dilation)
        xp = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
        filters = w.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, kh, kw)
        return F.conv2d(xp, filters, stride=stride, dilation=dilation, groups=channels).permute(0, 2, 3, 1)

    return fn


for n, h, w, c, m, kh, kw, s, p in [
    (2, 9, 11, 16, 1, 3, 3, 1, "same"),
    (1, 10, 12, 24, 1, 3, 3, 2, "same"),
    (1, 11, 9, 20, 1, 5, 5, 1, "same"),
    (2, 12, 11, 16, 1, 5, 5, 2, "valid"),
    (1, 7, 8, 6, 1, 3, 3, 2, "valid"),
    (1, 7, 6, 5, 2, 3, 3, 1, "same"),
]:
    name = f"depthwiseConv2d {n}x{h}x{w}x{c} by {kh}x{kw}x{m} stride {s} pad {p}"
    case(name, "depthwiseConv2d", [U(n, h, w, c), U(kh, kw, c, m)], depthwise(s, p), {"strides": s, "pad": p})
case("depthwiseConv2d dilated 2", "depthwiseConv2d", [U(1, 9, 11, 16), U(3, 3, 16, 1)], depthwise(1, "same", 2), {"strides": 1, "pad": "same", "dilations": 2}, grad=False)


def conv_transpose(x, w):  # w [kh, kw, out, in]
    return F.conv_transpose2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), stride=2).permute(0, 2, 3, 1)


case("conv2dTranspose 2x2 stride 2", "conv2dTranspose", [U(3, 5, 7, 16), U(2, 2, 20, 16)], conv_transpose, {"outputShape": [3, 10, 14, 20]})

# Products.
for ta in (False, True):
    for tb in (False, True):
        a, b = ((11, 17) if ta else (17, 11)), ((19, 11) if tb else (11, 19))
        fn = lambda x, y: (x.mT if ta else x) @ (y.mT if tb else y)
        case(f"matMul {'T' if ta else 'N'}{'T' if tb else 'N'}", "matMul", [U(*a), U(*b)], fn, {"transposeA": ta, "transposeB": tb})
case("matMul large", "matMul", [U(70, 130), U(130, 90)], lambda a, b: a @ b)
case("matMul batched", "matMul", [U(3, 17, 21), U(3, 21, 18)], lambda a, b: a @ b)
case("matMul batched, transposed", "matMul", [U(3, 17, 21), U(3, 18, 21)], lambda a, b: a @ b.mT, {"transposeB": True})
case("fused matMul bias relu", "fusedMatMul", [U(33, 40), U(40, 50), U(50)], lambda a, b, c: F.relu(a @ b + c))

# Pooling and resizing.
nchw = lambda f: lambda x: f(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
case("maxPool 3 stride 2 valid", "maxPool", [U(2, 11, 9, 20)], nchw(lambda x: F.max_pool2d(x, 3, 2)), {"size": 3, "strides": 2, "pad": "valid"})
case("maxPool 2 stride 2 valid", "maxPool", [U(3, 8, 7, 6)], nchw(lambda x: F.max_pool2d(x, 2, 2)), {"size": 2, "strides": 2, "pad": "valid"})
case("maxPool 3 stride 1 same", "maxPool", [U(1, 7, 9, 16)], nchw(lambda x: F.max_pool2d(x, 3, 1, 1)), {"size": 3, "strides": 1, "pad": "same"})
case("maxPool 1 stride 2 valid", "maxPool", [U(1, 7, 9, 16)], nchw(lambda x: F.max_pool2d(x, 1, 2)), {"size": 1, "strides": 2, "pad": "valid"})
case("avgPool 2 stride 2 valid", "avgPool", [U(2, 8, 6, 5)], nchw(lambda x: F.avg_pool2d(x, 2, 2)), {"size": 2, "strides": 2, "pad": "valid"})


def nearest(h, w):
    def fn(x):
        rows = torch.arange(h) * x.shape[1] // h
        columns = torch.arange(w) * x.shape[2] // w
        return x[:, rows][:, :, columns]

    return fn


for h, w in ((10, 14), (8, 14), (9, 13), (3, 4)):
    case(f"resizeNearestNeighbor 5x7 to {h}x{w}", "resizeNearest", [U(2, 5, 7, 40)], nearest(h, w), {"size": [h, w]})

# Element by element.
case("relu", "relu", [U(40, 60)], F.relu)
case("sigmoid", "sigmoid", [((40, 60), -8, 8)], torch.sigmoid)
case("tanh", "tanh", [((40, 60), -4, 4)], torch.tanh)
case("exp", "exp", [((40, 60), -5, 4)], torch.exp)
case("log", "log", [P(40, 60)], torch.log)
case("log1p", "log1p", [((40, 60), -0.5, 3)], torch.log1p)
case("log1p of small numbers", "log1p", [((40, 60), -1e-6, 1e-6)], torch.log1p)
case("softplus", "softplus", [((40, 60), -9, 9)], F.softplus)
case("sqrt", "sqrt", [P(40, 60)], torch.sqrt)
case("rsqrt", "rsqrt", [P(40, 60)], torch.rsqrt)
case("reciprocal", "reciprocal", [P(40, 60)], torch.reciprocal)
case("square", "square", [U(40, 60)], torch.square)
case("abs", "abs", [U(40, 60)], torch.abs)
case("neg", "neg", [U(40, 60)], torch.neg)
case("clipByValue", "clipByValue", [U(40, 60)], lambda x: x.clamp(-0.4, 0.3), {"min": -0.4, "max": 0.3})
case("relu6", "relu6", [((40, 60), -3, 9)], F.relu6)
case("elu", "elu", [((40, 60), -3, 3)], F.elu)
for op in ("floor", "ceil", "round", "sign", "step"):
    fn = {"floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "sign": torch.sign, "step": lambda x: (x > 0).double()}[op]
    case(op, op, [((40, 60), -4, 4)], fn, grad=False)
for shape in ((40, 60), (60,), (40, 1), (1,)):
    label = "x".join(map(str, shape))
    case(f"add {label}", "add", [U(40, 60), U(*shape)], torch.add)
    case(f"sub {label}", "sub", [U(40, 60), U(*shape)], torch.sub)
    case(f"mul {label}", "mul", [U(40, 60), U(*shape)], torch.mul)
    case(f"div {label}", "div", [U(40, 60), P(*shape)], torch.div)
case("mul by channel", "mul", [U(2, 5, 7, 24), U(24)], torch.mul)
case("mul by channel and image", "mul", [U(2, 5, 7, 24), U(2, 1, 1, 24)], torch.mul)
case("add of two broadcasts", "add", [U(40, 1), U(1, 50)], torch.add)
case("sub from a row", "sub", [U(60), U(40, 60)], torch.sub)
case("maximum", "maximum", [U(40, 60), U(40, 60)], torch.maximum)
case("minimum", "minimum", [U(40, 60), U(40, 60)], torch.minimum)
case("squaredDifference", "squaredDifference", [U(40, 60), U(40, 60)], lambda a, b: (a - b) ** 2)
case("pow", "pow", [P(12, 20), ((20,), 0.5, 2)], torch.pow)
case("where", "where", [U(3, 1000), U(3, 1000), [i % 3 % 2 for i in range(3000)]], lambda a, b, c: torch.where(c.reshape(3, 1000) > 0, a, b))
case("addN", "addN", [U(40, 60), U(40, 60), U(40, 60)], lambda a, b, c: a + b + c)
for op, fn in {"greater": torch.gt, "greaterEqual": torch.ge, "less": torch.lt, "lessEqual": torch.le, "equal": torch.eq}.items():
    case(op, op, [U(40, 60), U(60)], lambda a, b: fn(a, b).double(), grad=False)

# Reductions.
for axes in ([0], [1], [-1], [0, 1], [0, 1, 2], [1, 2], [0, 2], [0, 1, 2, 3]):
    for keep in (False, True):
        label = f"over {axes}{' kept' if keep else ''}".replace(" ", "")
        attrs = {"axis": axes, "keepDims": keep}
        case(f"sum {label}", "sum", [U(2, 9, 7, 12)], lambda x: x.sum(axes, keep), attrs)
        case(f"mean {label}", "mean", [U(2, 9, 7, 12)], lambda x: x.mean(axes, keep), attrs)
for axes in ([0], [-1], [1, 2], [0, 1, 2, 3]):
    attrs = {"axis": axes, "keepDims": False}
    case(f"max over {axes}".replace(" ", ""), "max", [U(2, 9, 7, 12)], lambda x: x.amax(axes), attrs)
    case(f"min over {axes}".replace(" ", ""), "min", [U(2, 9, 7, 12)], lambda x: x.amin(axes), attrs)
case("softmax", "softmax", [((30, 91), -6, 6)], lambda x: x.softmax(-1))
case("logSoftmax", "logSoftmax", [((30, 91), -6, 6)], lambda x: x.log_softmax(-1))

# Moving values.
case("pad space", "pad", [U(2, 5, 7, 40)], lambda x: F.pad(x, (0, 0, 1, 2, 3, 0)), {"paddings": [[0, 0], [3, 0], [1, 2], [0, 0]]})
case("pad channels", "pad", [U(2, 5, 7, 3)], lambda x: F.pad(x, (1, 2)), {"paddings": [[0, 0], [0, 0], [0, 0], [1, 2]]})
case("slice", "slice", [U(4, 5, 7, 12)], lambda x: x[1:3, :, 2:6, 3:12], {"begin": [1, 0, 2, 3], "size": [2, 5, 4, 9]})
for axis in range(4):
    case(f"concat {axis}", "concat", [U(2, 5, 7, 12), U(2, 5, 7, 12)], lambda a, b: torch.cat([a, b], axis), {"axis": axis})
case("concat unequal", "concat", [U(2, 5, 7, 3), U(2, 5, 7, 40)], lambda a, b: torch.cat([a, b], 3), {"axis": 3})
case("split", "splitSum", [U(6, 5, 12)], lambda x: x[..., :3].sum(-1) + 2 * x[..., 3:8].sum(-1) + 3 * x[..., 8:].sum(-1), {"sizes": [3, 5, 4], "axis": 2})
for perm in ([0, 3, 1, 2], [0, 2, 1, 3], [3, 2, 1, 0]):
    case(f"transpose {perm}".replace(" ", ""), "transpose", [U(3, 5, 7, 12)], lambda x: x.permute(perm), {"perm": perm})
case("reshape", "reshape", [U(6, 5, 12)], lambda x: x.reshape(20, 18), {"shape": [20, 18]})
case("gather rows", "gather", [U(9, 5, 8), [8, 0, 3, 3, 3]], lambda x, i: x[i], {"axis": 0})
case("gather columns", "gather", [U(5, 9, 40), [8, 0, 3, 3]], lambda x, i: x[:, i], {"axis": 1})
case("unsortedSegmentSum", "unsortedSegmentSum", [U(6, 5, 8), [0, 2, 2, 1, 1, 0]], lambda x, i: torch.zeros(4, 5, 8).index_add(0, i, x), {"numSegments": 4})
case("tile", "tile", [U(5, 7)], lambda x: x.repeat(3, 2), {"reps": [3, 2]})
case("stack", "stack", [U(5, 7), U(5, 7)], lambda a, b: torch.stack([a, b], 1), {"axis": 1})
case("reverse", "reverse", [U(5, 7)], lambda x: x.flip(1), {"axis": 1})

# Nothing at all is a normal input.
case("no rows: add", "add", [U(0, 4), U(4)], torch.add, grad=False)
case("no rows: exp", "exp", [U(0, 4)], torch.exp, grad=False)
case("no rows: sum", "sum", [U(0, 4)], lambda x: x.sum(0), {"axis": [0], "keepDims": False}, grad=False)
case("no rows: matMul", "matMul", [U(0, 5), U(5, 3)], lambda a, b: a @ b, grad=False)
case("no columns: matMul", "matMul", [U(3, 0), U(0, 5)], lambda a, b: a @ b, grad=False)
case("no images: conv2d", "conv2d", [U(0, 5, 7, 16), U(3, 3, 16, 16)], conv(1, "same"), {"strides": 1, "pad": "same"}, grad=False)
case("no images: maxPool", "maxPool", [U(0, 6, 8, 4)], lambda x: x[:, ::2, ::2], {"size": 2, "strides": 2, "pad": "valid"}, grad=False)
case("no rows: softmax", "softmax", [U(0, 9)], lambda x: x.softmax(-1), grad=False)
case("no rows: concat", "concat", [U(0, 4), U(3, 4)], lambda a, b: torch.cat([a, b]), {"axis": 0}, grad=False)
case("no indices: gather", "gather", [U(4, 5), []], lambda x, i: x[i], {"axis": 0}, grad=False)
case("no rows: transpose", "transpose", [U(0, 4, 5)], lambda x: x.permute(2, 0, 1), {"perm": [2, 0, 1]}, grad=False)
case("no rows: slice", "slice", [U(3, 4)], lambda x: x[1:1], {"begin": [1, 0], "size": [0, 4]}, grad=False)


# NaN is not lost: `poison` puts one at an index.
def poisoned(fn, index):
    def run(x):
        flat = x.reshape(-1).clone()
        flat[index] = math.nan
        return fn(flat.reshape(x.shape))

    return run


for op, fn, attrs, shape in [
    ("maxPool", nchw(lambda x: F.max_pool2d(x, 3, 2)), {"size": 3, "strides": 2, "pad": "valid"}, (1, 7, 9, 8)),
    ("clipByValue", lambda x: x.clamp(-0.4, 0.3), {"min": -0.4, "max": 0.3}, (40, 60)),
    ("relu", F.relu, {}, (40, 60)),
    ("maximum0", lambda x: x.clamp(min=0), {}, (40, 60)),
    ("max", lambda x: x.amax([0]), {"axis": [0], "keepDims": False}, (40, 60)),
    ("sum", lambda x: x.sum([0]), {"axis": [0], "keepDims": False}, (40, 60)),
]:
    case(f"NaN through {op}", op, [U(*shape)], poisoned(fn, 125), {**attrs, "poison": 125}, grad=False)
case("mean of nothing", "mean", [U(0, 4)], lambda x: x.mean(0), {"axis": [0], "keepDims": False}, grad=False)


# Small networks, with the gradient of every weight.
def residual(x, w1, w2, w3, down, fc, bias):
    c = lambda x, w, s=1: conv(s, (w.shape[0] - 1) // 2)(x, w)
    y = F.relu(c(x, w1, 2))
    y = nchw(lambda t: F.max_pool2d(t, 3, 2, 1))(y)
    z = F.relu(c(y, w2, 2))
    y = F.relu(c(z, w3) + c(y, down, 2))
    return -(y.mean((1, 2)) @ fc + bias).log_softmax(-1)[:, 1].mean()


case(
    "network: residual classifier",
    "residualNet",
    [U(3, 17, 21, 3), ((7, 7, 3, 16), -0.2, 0.2), ((3, 3, 16, 32), -0.2, 0.2), ((3, 3, 32, 32), -0.2, 0.2), ((1, 1, 16, 32), -0.4, 0.4), U(32, 5), U(5)],
    residual,
)


def pyramid(fine, coarse, lateral_fine, lateral_coarse, smooth, up):
    one = conv(1, "same")
    top = one(coarse, lateral_coarse)
    merged = one(fine, lateral_fine) + nearest(fine.shape[1], fine.shape[2])(top)
    maps = F.relu(one(merged, smooth))
    return torch.sigmoid(conv_transpose(maps, up)).mean((1, 2))


case(
    "network: pyramid with a mask head",
    "pyramidNet",
    [U(2, 9, 11, 16), U(2, 5, 6, 32), ((1, 1, 16, 32), -0.4, 0.4), ((1, 1, 32, 32), -0.4, 0.4), ((3, 3, 32, 32), -0.2, 0.2), ((2, 2, 6, 32), -0.4, 0.4)],
    pyramid,
)

OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text("[\n" + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in cases) + "\n]\n")
print(f"{len(cases)} cases, {OUT.stat().st_size / 1e6:.2f} MB: {OUT}")
