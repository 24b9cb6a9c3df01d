"""Checkpoint files written by PyTorch itself, with a digest of every tensor.  python pth_fixtures.py OUT_DIR SEED"""
import collections, hashlib, json, sys
from pathlib import Path
import numpy as np
import torch

out, seed = Path(sys.argv[1]), int(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
g = torch.Generator().manual_seed(seed)
R = lambda *s: torch.randn(*s, generator=g)
manifest = {}


def note(file, tensors):
    manifest[file] = {}
    for k, t in tensors.items():
        c = t.detach().contiguous()
        raw = c.view(torch.int16).numpy().tobytes() if c.dtype == torch.bfloat16 else c.numpy().tobytes()
        manifest[file][k] = dict(dtype=str(t.dtype).replace("torch.", ""), shape=list(t.shape), sha256=hashlib.sha256(raw).hexdigest())


def put(file, obj, tensors, **kw):
    torch.save(obj, out / file, **kw); note(file, tensors)


sd = {"conv.weight": R(4, 3, 3, 3), "conv.bias": R(4), "bn.running_mean": R(4), "bn.num_batches_tracked": torch.tensor(7)}
put("plain_dict.pth", sd, sd)
od = collections.OrderedDict(sd); od._metadata = collections.OrderedDict([("", {"version": 1})])
put("ordered_dict_with_metadata.pth", od, sd)
put("parameters.pth", {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in sd.items()}, sd)
put("training_checkpoint.pth", {"model": od, "epoch": 3, "args": {"lr": 0.02, "name": "x"}, "optimizer": {"state": {0: {"momentum_buffer": R(4)}}, "param_groups": [{"lr": 0.02, "params": [0]}]}}, {f"model.{k}": v for k, v in sd.items()})
put("state_dict_key.pth", {"state_dict": od}, {f"state_dict.{k}": v for k, v in sd.items()})
b = R(6, 8); put("transposed.pth", {"t": b.t()}, {"t": b.t()})
w = R(2, 3, 4, 5).to(memory_format=torch.channels_last); put("channels_last.pth", {"w": w}, {"w": w})
base = R(100); views = {"a": base[10:20], "b": base[20:60:4], "whole": base}; put("shared_storage.pth", views, views)
kinds = {"f64": R(3).double(), "f16": R(3).half(), "bf16": R(3).bfloat16(), "i64": torch.tensor([1, -2, 2**40]), "i32": torch.tensor([1, -2], dtype=torch.int32), "i16": torch.tensor([3], dtype=torch.int16), "i8": torch.tensor([-4], dtype=torch.int8), "u8": torch.tensor([250], dtype=torch.uint8), "bool": torch.tensor([True, False])}
put("dtypes.pth", kinds, kinds)
put("scalars_and_empty.pth", {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4)}, {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4)})
many = {f"layer{i}.weight": R(2) for i in range(1200)}; put("many_tensors.pth", many, many)
m = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)); put("module_state_dict.pth", m.state_dict(), m.state_dict())
put("legacy_tar.pth", od, sd, _use_new_zipfile_serialization=False)
for p in (2, 3, 4):
    put(f"pickle_protocol_{p}.pth", sd, sd, pickle_protocol=p)

# hostile: these must be refused with a clear error, and must not run anything
class Gadget:
    def __init__(self, f, *a): self.f, self.a = f, a
    def __reduce__(self): return self.f, self.a
import os, builtins, subprocess
canary = "touch CANARY_MUST_NOT_EXIST"
torch.save({"w": Gadget(os.system, canary)}, out / "hostile_os_system.pth")
torch.save({"w": Gadget(builtins.eval, "__import__('os').system('%s')" % canary)}, out / "hostile_eval.pth")
torch.save({"w": Gadget(subprocess.call, canary.split())}, out / "hostile_subprocess.pth")
torch.save({"w": Gadget(getattr, [], "append")}, out / "hostile_getattr.pth")
good = (out / "plain_dict.pth").read_bytes()
for cut in (10, 200, len(good) // 2, len(good) - 30):
    (out / f"hostile_truncated_at_{cut}.pth").write_bytes(good[:cut])
bad = bytearray(good); at = good.index(b"PK\x01\x02"); bad[at + 20] ^= 0x7F; (out / "hostile_central_directory.pth").write_bytes(bytes(bad))
(out / "hostile_not_a_zip.pth").write_bytes(b"hello world" * 50)
(out / "manifest.json").write_text(json.dumps(manifest, indent=1))
print(len(manifest), "good,", len(list(out.glob("hostile_*"))), "hostile,", sum(p.stat().st_size for p in out.iterdir()) // 1024, "KiB")
