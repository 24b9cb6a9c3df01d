"""Runs an exported model with Python's onnxruntime and compares it with what `mask-rcnn predict` found.

    mask-rcnn export runs/train --out model.onnx
    mask-rcnn predict photos/*.jpg --weights runs/train --compile off --results found.json --no-save
    python tools/reference/onnx_check.py model.onnx found.json photos/*.jpg

Labels must be the same in the same order, scores within 1e-3, corners within 0.05 pixels. Masks are laid into the picture
here, as torchvision lays them: at most one pixel in 1,000 of an object's box may differ. Two objects whose scores are
within 1e-6 of each other may change places. Pictures are matched with the
results by their names, labels with categories by the file's own list of classes.

Needs: pip install onnx onnxruntime pillow numpy
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
MASK = 1e-3
TIE = 1e-6


def categories_of(session):
    """Which category id each label stands for."""
    about = json.loads(session.get_modelmeta().custom_metadata_map["mask-rcnn"])
    return {entry["label"]: entry["categoryId"] for entry in about.get("classes") or []}


def detections(session, path):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    pixels = np.asarray(image, np.float32) / np.float32(255)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"image": np.ascontiguousarray(pixels.transpose(2, 0, 1))})))
    return found, pixels.shape[:2]


def id_of(path):
    stem = Path(path).stem
    return int(stem) if stem.isdigit() else stem


def decode(segmentation):
    """COCO's run lengths, as text or as numbers, to a bitmap."""
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = counts_of(counts)
    values = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
    return values.reshape(width, height).T


def counts_of(text):
    """The text form of run lengths: groups of five bits, and differences to the run before last from the third on."""
    counts, at = [], 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[at]) - 48
            value |= (bits & 31) << shift
            more = bits & 32 != 0
            at, shift = at + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def axis(low, high, side, pixels):
    """Where the pixels of one axis lie in a mask framed by zeros: pixels, cells and weights, in float32 as torchvision."""
    f = np.float32
    grow = f(side + 2) / f(side)
    half, center = f(f(high - low) * f(0.5)) * grow, f(f(high + low) * f(0.5))
    first, last = int(f(center - half)), int(f(center + half))
    length = max(last - first + 1, 1)
    places = np.arange(max(first, 0), min(first + length, pixels))
    source = f((side + 2) / length) * (places - first + 0.5).astype(f) - f(0.5)
    source = np.clip(source, 0, side + 1).astype(f)
    cells = np.minimum(np.floor(source), side).astype(int)
    return places, cells, (source - cells).astype(f)


def paste(mask, box, size):
    """A mask of probabilities in the whole picture, above one half."""
    framed = np.pad(mask, 1)
    rows, row_cells, down = axis(box[1], box[3], mask.shape[0], size[0])
    columns, column_cells, across = axis(box[0], box[2], mask.shape[1], size[1])
    result = np.zeros(size, np.uint8)
    if len(rows) == 0 or len(columns) == 0:
        return result
    upper, lower = framed[row_cells], framed[row_cells + 1]
    between = upper + (lower - upper) * down[:, None]
    values = between[:, column_cells] + (between[:, column_cells + 1] - between[:, column_cells]) * across[None]
    result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = values > 0.5
    return result


def in_order_of(expected, found):
    """Places of the objects found in the order of those expected: equal scores have no order."""
    places = list(range(len(found["labels"])))
    for i, one in enumerate(expected):
        for k in range(i, len(places)):
            if abs(found["scores"][places[k]] - one["score"]) > TIE:
                break
            if found["labels"][places[k]] == one["category_id"] and np.abs(found["boxes"][places[k], :2] - one["bbox"][:2]).max() <= PIXELS:
                places.insert(i, places.pop(k))
                break
    return places


def differences(found, expected, size, categories):
    """What is wrong, in words, and the largest differences of scores, corners and masks."""
    if categories:  # labels without a category, such as COCO's unused numbers, are in no list of results
        named = np.array([int(label) in categories for label in found["labels"]], bool)
        found = {name: values[named] for name, values in found.items()}
    labels = np.array([categories.get(int(label), int(label)) for label in found["labels"]])
    places = in_order_of(expected, {**found, "labels": labels})
    found, labels = {name: values[places] for name, values in found.items()}, list(labels[places])
    wanted = [one["category_id"] for one in expected]
    if labels != wanted:
        return "other labels", 0.0, 0.0, 0.0
    if not expected:
        return "", 0.0, 0.0, 0.0
    x, y, w, h = np.array([one["bbox"] for one in expected]).T
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    scores = np.array([one["score"] for one in expected])
    score, corner = float(np.abs(found["scores"] - scores).max()), float(np.abs(found["boxes"] - boxes).max())
    mask = 0.0
    for i, one in enumerate(expected if "masks" in found else []):
        pasted = paste(found["masks"][i, 0], found["boxes"][i], size)
        area = max(1.0, one["bbox"][2] * one["bbox"][3])
        mask = max(mask, int((pasted != decode(one["segmentation"])).sum()) / area)
    wrong = [name for name, far in [("scores", score > SCORE), ("boxes", corner > PIXELS), ("masks", mask > MASK)] if far]
    return " and ".join(wrong), score, corner, mask


def main(model, results, *pictures):
    onnx.checker.check_model(onnx.load(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    categories = categories_of(session)
    by_image = {}
    for one in json.load(open(results)):
        by_image.setdefault(one["image_id"], []).append(one)
    failed, objects = 0, 0
    for image_id, path in ((id_of(path), path) for path in pictures):
        expected = by_image.get(image_id, [])
        found, size = detections(session, path)
        wrong, score, corner, mask = differences(found, expected, size, categories)
        failed, objects = failed + (wrong != ""), objects + len(expected)
        print(
            f"{'WRONG (' + wrong + ')' if wrong else 'ok'} {path}: {len(found['scores'])} of {len(expected)} objects, "
            f"scores {score:.1e}, boxes {corner:.1e} px, masks {mask:.1e} of the box"
        )
    print(f"{objects} objects in {len(pictures)} pictures, {failed} pictures differ")
    return 1 if failed or objects == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
