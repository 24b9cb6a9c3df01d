"""Cuts the reference answers of the whole models down to what the tests compare.

    python trim_model_fixtures.py FOLDER_OF_FULL_FILES FOLDER_FOR_TRIMMED_FILES

Masks become bits (`NAME.bits`, most significant first, and `NAME.shape`), of detections the first three only; of
pooled regions every second stored channel is kept; of Keypoint R-CNN's maps inside of the heads none. All other tensors
are copied as they are.
"""
import json
import struct
import sys
from pathlib import Path

import numpy as np

TYPES = {"F32": np.float32, "I32": np.int32, "I64": np.int64, "U8": np.uint8}
FILES = [
    "eval_maskrcnn_resnet50_fpn",
    "eval_maskrcnn_resnet50_fpn_v2",
    "eval_fasterrcnn_resnet50_fpn",
    "train_maskrcnn_resnet18_fpn",
    "train_empty_image",
    "eval_keypointrcnn_resnet18_small",
    "train_keypointrcnn_resnet18_small",
    "train_keypointrcnn_all_invisible",
    "train_keypointrcnn_all_empty",
]
INSIDE_OF_HEADS = ("keypoint_pool", "keypoint_head", "keypoint_lowres", "keypoint_logits", "keypoints.logits")


def read(path: Path) -> tuple[dict, dict]:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + length + start : 8 + length + end], TYPES[entry["dtype"]])
        tensors[name] = data.reshape(entry["shape"])
    return tensors, metadata


def write(path: Path, tensors: dict, metadata: dict) -> None:
    codes = {np.dtype(t): code for code, t in TYPES.items()}
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        data = np.ascontiguousarray(tensor).tobytes()
        header[name] = {"dtype": codes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def trim(tensors: dict) -> dict:
    kept = {}
    for name, tensor in tensors.items():
        if name.startswith(INSIDE_OF_HEADS):
            continue
        if name.endswith(".masks"):
            masks = tensor[:3] if name.startswith("detections") else tensor
            kept[f"{name}.bits"] = np.packbits(masks.reshape(-1))
            kept[f"{name}.shape"] = np.array(masks.shape, np.int32)
        elif name == "box_roi_pool.first20.sample":
            kept[name] = tensor[:, ::2]
        else:
            kept[name] = tensor
    return kept


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        tensors, metadata = read(source / f"{file}.safetensors")
        write(target / f"{file}.safetensors", trim(tensors), metadata)
