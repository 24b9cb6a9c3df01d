"""Cuts the reference answers of SOLO down to what the tests compare.

    python trim_solo_fixtures.py FOLDER_OF_FULL_FILES FOLDER_FOR_TRIMMED_FILES

Masks become bits (`NAME.bits`, most significant first, and `NAME.shape`). Of the pyramid of whole models the first 8
channels stay, of gradients of features the first two; of kernels and mask features none, because the masks that they
make are compared. All other tensors are copied as they are.
"""
import sys
from pathlib import Path

import numpy as np
from trim_model_fixtures import read, write


def is_masks(name: str) -> bool:
    return name.endswith((".masks", ".masks.first2", ".masks.first3", ".mask_targets.first2", "matrix_nms.masks"))


def trim(tensors: dict, whole_model: bool) -> dict:
    kept = {}
    for name, tensor in tensors.items():
        if is_masks(name):
            kept[f"{name}.bits"] = np.packbits(tensor.reshape(-1))
            kept[f"{name}.shape"] = np.array(tensor.shape, np.int32)
        elif name == "mask_features" or name.startswith("kernels."):
            continue
        elif whole_model and name.startswith("features") and tensor.ndim == 4:
            kept[name] = tensor[:, :8]
        elif name.endswith(".first4channels"):
            kept[name.replace("first4", "first2")] = tensor[:, :2]
        else:
            kept[name] = tensor
    return kept


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("*.safetensors")):
        tensors, metadata = read(file)
        write(target / file.name, trim(tensors, file.name.startswith(("eval", "train"))), metadata)
