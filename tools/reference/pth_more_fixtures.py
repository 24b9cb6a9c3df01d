"""More checkpoint files by PyTorch, legal but hard, beside those of pth_fixtures.py.

    python pth_more_fixtures.py OUT_DIR          (PyTorch 2.14)

Writes the files and manifest.json: dtype, shape and SHA-256 of the contiguous little-endian bytes of every tensor.
"""
import argparse
import collections
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import torch

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
generator = torch.Generator().manual_seed(7)
manifest: dict = {}


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator)


def note(file: str, tensors: dict) -> None:
    manifest[file] = {}
    for name, tensor in tensors.items():
        flat = tensor.detach().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        manifest[file][name] = {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }


def put(file: str, value: object, tensors: dict, **options: object) -> None:
    torch.save(value, out / file, **options)
    note(file, tensors)


rare = {
    "u16": torch.tensor([1, 65535], dtype=torch.uint16),
    "u32": torch.tensor([1, 2**32 - 1], dtype=torch.uint32),
    "u64": torch.tensor([1, 2**63 + 1], dtype=torch.uint64),
    "f8": randn(5).to(torch.float8_e4m3fn),
    "f8_e5m2": randn(5).to(torch.float8_e5m2),
    "c64": torch.complex(randn(3), randn(3)),
}
put("rare_dtypes.pth", rare, rare)
put("rare_dtypes_legacy.pth", {"c64": rare["c64"]}, {"c64": rare["c64"]}, _use_new_zipfile_serialization=False)

# views: expanded (stride 0), a diagonal, a slice of a slice, a permuted block, an empty slice, sides of 1
base = randn(4, 5, 6)
views = {
    "expanded": base[0, 0, :1].expand(7),
    "diagonal": torch.diagonal(base[0]),
    "slices": base[1:3, ::2, 1:5:3],
    "permuted": base.permute(2, 0, 1),
    "empty": base[2:2],
    "ones": base[:1, :1, :1],
    "last": base[3, 4, 5],
}
put("views.pth", views, views)
put("views_legacy.pth", views, views, _use_new_zipfile_serialization=False)
halves = {"t": randn(3, 4).half().t(), "d": randn(3, 4).double().t(), "b": (randn(3, 4) > 0).t(), "i": torch.arange(6).reshape(2, 3).t()}
put("transposed_types.pth", halves, halves)

put("tensor_alone.pth", base, {"tensor": base})
put("list.pth", [base, {"a": base[0]}, (base[1], 3)], {"0": base, "1.a": base[0], "2.0": base[1]})
deep = {"a": {"b": [{"c": base[0]}], 3: base[1]}, "d.e": base[2]}
put("nested.pth", deep, {"a.b.0.c": base[0], "a.3": base[1], "d.e": base[2]})
put("nothing.pth", {"epoch": 3}, {})
put("unicode.pth", {"größe.重み": base[0], "": base[1]}, {"größe.重み": base[0], "": base[1]})

tied = torch.nn.Parameter(randn(3))
put("tied.pth", {"a": tied, "b": tied}, {"a": tied, "b": tied})
attributed = torch.nn.Parameter(randn(3))
attributed.note = "an attribute"  # makes PyTorch write _rebuild_from_type_v2 or _rebuild_parameter_with_state
plain = randn(2)
plain.note = "an attribute"
put("attributes.pth", {"p": attributed, "t": plain}, {"p": attributed, "t": plain})
put("buffer_of_bytes.pth", {"t": torch.frombuffer(bytearray(range(16)), dtype=torch.int16)}, {"t": torch.frombuffer(bytearray(range(16)), dtype=torch.int16)})

# what torchvision's own training script saves
model = torch.nn.Linear(3, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
model(randn(4, 3)).sum().backward()
optimizer.step()
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [16, 22])
training = {
    "model": model.state_dict(),
    "optimizer": optimizer.state_dict(),
    "lr_scheduler": schedule.state_dict(),
    "args": argparse.Namespace(lr=0.02, data_path="/data", milestones=[16, 22], amp=False, none=None),
    "epoch": 3,
    "defaults": collections.defaultdict(list, {"a": [1]}),
    "many": {1, 2},
    "frozen": frozenset([3]),
    "raw": b"bytes",
    "size": base.shape,
    "type": torch.float32,
    "device": torch.device("cpu"),
    "large": 2**70,
    "minus": -(2**40),
    "pi": 3.14159,
}
momentum = {f"optimizer.state.{i}.momentum_buffer": s["momentum_buffer"] for i, s in optimizer.state_dict()["state"].items()}
for protocol in (2, 3, 4, 5):
    put(f"torchvision_training_p{protocol}.pth", training, {**{f"model.{k}": v for k, v in model.state_dict().items()}, **momentum}, pickle_protocol=protocol)

# as a big-endian machine writes it: bytes swapped, and said so in the archive
buffer = io.BytesIO()
swapped = {"f": randn(5), "d": randn(2).double(), "c": rare["c64"]}
raw = {k: t.view(torch.uint8).reshape(t.numel(), -1) for k, t in swapped.items()}
torch.save(swapped, buffer)
sizes = {20: 4, 16: 8, 24: 4}  # bytes of each storage: how wide its numbers are
with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out / "big_endian.pth", "w") as target:
    for info in source.infolist():
        data = source.read(info)
        if "/data/" in info.filename:
            width = sizes[len(data)]
            data = b"".join(data[i : i + width][::-1] for i in range(0, len(data), width))
        if info.filename.endswith("byteorder"):
            data = b"big"
        target.writestr(zipfile.ZipInfo(info.filename), data)
note("big_endian.pth", swapped)

# legal for PyTorch, refused by us
torch.save({"z": torch.complex(randn(2), randn(2)).conj()}, out / "refused_conjugate.pth")
torch.save(torch.nn.Linear(2, 2), out / "refused_whole_module.pth")
torch.save(torch.nn.Linear(2, 2), out / "refused_whole_module_legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"s": torch.eye(3).to_sparse()}, out / "refused_sparse.pth")
torch.save({"q": torch.quantize_per_tensor(randn(3), 0.1, 0, torch.qint8)}, out / "refused_quantized.pth")
torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(out / "refused_torchscript.pth"))
with zipfile.ZipFile(out / "views.pth") as source, zipfile.ZipFile(out / "refused_compressed.pth", "w", zipfile.ZIP_DEFLATED) as target:
    for info in source.infolist():
        target.writestr(info.filename, source.read(info))

(out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False))
print(len(manifest), "good,", len(list(out.glob("refused_*"))), "refused")
