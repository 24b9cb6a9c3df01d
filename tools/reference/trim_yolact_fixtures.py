"""Cuts the reference answers of YOLACT down to what the tests compare.

    python trim_yolact_fixtures.py FOLDER_OF_FULL_FILES FOLDER_FOR_TRIMMED_FILES

Masks become bits (`NAME.bits`, most significant first, and `NAME.shape`). Of whole models the resized images are left
out, every fourth channel of a pyramid's level is kept, every fourth prior of the coefficients and every second row and
column of the prototypes; of losses from given predictions the boxes and coefficients of positives alone, as no others
count.
"""
import sys
from pathlib import Path

import numpy as np

from trim_model_fixtures import read, write

PLAIN = ["boxes", "dcn", "fast_nms", "mask_loss", "maskiou", "match", "priors"]
OTHERS = [
    "masks",
    "losses",
    "losses_crowd_limited",
    "eval_yolact_resnet18_small",
    "eval_yolact_resnet50_550layout",
    "eval_yolact_plus_resnet18_small",
    "train_yolact_resnet18_small",
    "train_yolact_plus_resnet18_small",
]


def bits(kept: dict, name: str, masks: np.ndarray) -> None:
    kept[f"{name}.bits"] = np.packbits(masks.reshape(-1))
    kept[f"{name}.shape"] = np.array(masks.shape, np.int32)


def trim(file: str, tensors: dict) -> dict:
    kept = {}
    for name, tensor in tensors.items():
        if tensor.dtype == np.uint8 and tensor.ndim == 3:
            bits(kept, name, tensor)
        elif name in ("batch", "batch.sample", "batch.shape") or name.startswith("backbone."):
            continue
        elif file == "eval_yolact_resnet18_small" and name.startswith("features.p") and tensor.ndim == 4:
            kept[name] = tensor[:, ::4]
        elif file == "eval_yolact_resnet18_small" and name == "raw.mask":
            kept[name] = tensor[:, ::4]
        elif file == "eval_yolact_resnet18_small" and name == "proto":
            kept[name] = tensor[:, ::2, ::2]
        elif file.startswith("losses") and name in ("in.mask", "in.loc", "grad.full.loc"):
            kept[f"{name.replace('.full', '')}.of_positives"] = tensor[tensors["match.labels"] > 0]
        elif name == "match.gt_index" and file != "match":
            continue
        else:
            kept[name] = tensor
    return kept


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for file in PLAIN + OTHERS:
        tensors, metadata = read(source / f"{file}.safetensors")
        write(target / f"{file}.safetensors", tensors if file in PLAIN else trim(file, tensors), metadata)
