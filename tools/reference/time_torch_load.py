"""Writes .pth files from a safetensors file and times torch.load:  python time_torch_load.py FOLDER RUNS

FOLDER holds plain.safetensors; zip.pth and legacy.pth are written beside it. Prints {name: [seconds]} as JSON.
"""
import gc, json, struct, sys, time
from pathlib import Path

import torch
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.ops.misc import FrozenBatchNorm2d

folder, runs = Path(sys.argv[1]), int(sys.argv[2])


def read_safetensors(path: Path) -> dict:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        state[name] = torch.frombuffer(bytearray(raw[begin:end]), dtype=torch.float32).reshape(entry["shape"])
    return state


state = read_safetensors(folder / "plain.safetensors")
torch.save(state, folder / "zip.pth")
torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
del state

model = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, norm_layer=FrozenBatchNorm2d)


def load_model() -> None:
    model.load_state_dict(torch.load(folder / "zip.pth"))


works = {
    "torch.load, zip": lambda: torch.load(folder / "zip.pth"),
    "torch.load, zip, mmap (nothing read yet)": lambda: torch.load(folder / "zip.pth", mmap=True),
    "torch.load, legacy": lambda: torch.load(folder / "legacy.pth"),
    "torch.load and load_state_dict into torchvision": load_model,
}
times = {}
for name, work in works.items():
    work()  # warm-up
    times[name] = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        work()
        times[name].append(time.perf_counter() - start)
print(json.dumps(times))
