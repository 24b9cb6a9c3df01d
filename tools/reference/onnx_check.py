"""Runs an exported model with Python's onnxruntime and compares it with what `mask-rcnn predict` found.

    mask-rcnn export runs/train --out model.onnx
    mask-rcnn predict photos/*.jpg --weights runs/train --results found.json --no-save
    python tools/reference/onnx_check.py model.onnx found.json photos/*.jpg

Pictures are matched with the results by their names. Needs: pip install onnx onnxruntime pillow numpy
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageOps

SCORE = 1e-3
PIXELS = 0.05


def detections(session, path):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    pixels = np.asarray(image, np.float32) / np.float32(255)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": np.ascontiguousarray(pixels.transpose(2, 0, 1))})))


def id_of(path):
    stem = Path(path).stem
    return int(stem) if stem.isdigit() else stem


def differences(found, expected):
    """Largest difference of scores and corners; None when the numbers of detections or their order differ."""
    if len(found["scores"]) != len(expected):
        return None
    if not expected:
        return 0.0, 0.0
    x, y, w, h = np.array([one["bbox"] for one in expected]).T
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    scores = np.array([one["score"] for one in expected])
    return float(np.abs(found["scores"] - scores).max()), float(np.abs(found["boxes"] - boxes).max())


def main(model, results, *pictures):
    onnx.checker.check_model(onnx.load(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    by_image = {}
    for one in json.load(open(results)):
        by_image.setdefault(one["image_id"], []).append(one)
    wrong = 0
    for image_id, path in ((id_of(path), path) for path in pictures):
        expected = by_image.get(image_id, [])
        found = detections(session, path)
        apart = differences(found, expected)
        good = apart is not None and apart[0] <= SCORE and apart[1] <= PIXELS
        wrong += not good
        what = "other detections" if apart is None else f"scores {apart[0]:.1e}, boxes {apart[1]:.1e} px"
        print(f"{'ok' if good else 'WRONG'} {path}: {len(found['scores'])} of {len(expected)}, {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
