"""Digests of evaluations of random datasets by pycocotools, for packages/coco-eval/test/reference.test.ts.

python evaluation.py FIRST COUNT    prints one line per dataset: the first 16 hex digits of the SHA-256 of its arrays

Datasets have crowds, ignored objects, tied scores, annotation id 0, empty images and classes, more detections than
count, and areas on the borders of the ranges. Every number comes from whole numbers that TypeScript draws too.
"""
import contextlib
import hashlib
import io
import struct
import sys

import numpy as np
from pycocotools import mask as M
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from seeded import Draw

BORDERS = (0, 1023, 1024, 1025, 9215, 9216, 9217, 400)
KINDS = ("bbox", "segm", "keypoints")


def dataset(seed):
    draw = Draw(seed * 7919 + 17)
    kind = KINDS[draw(5) % 3]
    crowded = draw(12) == 0  # more detections than maxDets in one image
    images = [dict(id=3 * i + draw(3), height=40 + draw(120), width=40 + draw(120)) for i in range(1 + draw(6))]
    categories = [dict(id=2 * c + 1 + draw(2), name=str(c)) for c in range(1 + draw(4))]
    first_id = 0 if draw(4) == 0 else 1
    annotations, results = [], []
    for image in images:
        h, w = image["height"], image["width"]
        for _ in range(draw(8)):
            box = draw_box(draw, h, w)
            a = dict(id=first_id + len(annotations), image_id=image["id"],
                     category_id=categories[draw(len(categories))]["id"], iscrowd=int(draw(8) == 0),
                     area=area_of(draw, box), bbox=box)
            if kind == "segm":
                a["segmentation"] = draw_segmentation(draw, box, h, w)
            elif kind == "keypoints":
                a["keypoints"], a["num_keypoints"] = draw_keypoints(draw, box)
            annotations.append(a)
            for _ in range(draw(3)):
                results.append(draw_result(draw, kind, image, categories, a))
        for _ in range(60 + draw(100) if crowded else draw(4)):
            results.append(draw_result(draw, kind, image, categories, None))
    use_cats = draw(6) != 0
    return kind, images, categories, annotations, results, use_cats


def draw_box(draw, h, w):
    if draw(6) == 0:  # squares whose area is the border of a range
        side = (32, 96, 20)[draw(3)]
        return [draw(w), draw(h), side, side]
    return [draw(4 * w) / 4, draw(4 * h) / 4, (1 + draw(4 * w)) / 4, (1 + draw(4 * h)) / 4]


def area_of(draw, box):
    return BORDERS[draw(8)] if draw(3) == 0 else box[2] * box[3]


def corners(box):
    x, y, w, h = box
    return [x, y, x, y + h, x + w, y + h, x + w, y]


def draw_segmentation(draw, box, h, w):
    if draw(3) == 0:
        rle = M.frPyObjects([corners(box)], h, w)[0]
        return dict(size=[h, w], counts=rle["counts"].decode())
    x, y, bw, bh = box
    triangle = [x, y, x + bw, y + draw(5) * bh / 4, x + draw(5) * bw / 4, y + bh]
    return [corners(box)[:6], triangle] if draw(2) == 0 else [triangle]


def draw_keypoints(draw, box):
    x, y, w, h = box
    points, labelled, hidden = [], 0, draw(5) == 0
    for _ in range(17):
        v = 0 if hidden else draw(3)
        points += [x + draw(9) * w / 8, y + draw(9) * h / 8, v]
        labelled += v > 0
    return points, labelled


def draw_result(draw, kind, image, categories, truth):
    h, w = image["height"], image["width"]
    box = draw_box(draw, h, w)
    if truth is not None and draw(5) != 0:  # near the truth, sometimes exactly
        shift = (0, 1, 2, 4)[draw(4)]
        x, y, bw, bh = truth["bbox"]
        box = [x + draw(2 * shift + 1) - shift, y + draw(2 * shift + 1) - shift, bw, bh]
    category = truth["category_id"] if truth is not None and draw(6) != 0 else categories[draw(len(categories))]["id"]
    result = dict(image_id=image["id"], category_id=category, score=(draw(10) / 10, draw(1000) / 1000)[draw(2)])
    if kind == "bbox":
        result["bbox"] = box
    elif kind == "segm":
        rle = M.frPyObjects([corners(box)], h, w)[0]
        result["segmentation"] = dict(size=[h, w], counts=rle["counts"].decode())
    else:
        base = truth["keypoints"] if truth is not None else draw_keypoints(draw, box)[0]
        spread = (0, 1, 3, 8)[draw(4)]
        result["keypoints"] = [v + draw(2 * spread + 1) - spread if i % 3 != 2 else 1 for i, v in enumerate(base)]
    return result


def evaluate(seed):
    kind, images, categories, annotations, results, use_cats = dataset(seed)
    with contextlib.redirect_stdout(io.StringIO()) as text:
        truth = COCO()
        truth.dataset = dict(info={}, images=images, categories=categories, annotations=annotations)
        truth.createIndex()
        if not results:
            return None
        e = COCOeval(truth, truth.loadRes(results), kind)
        e.params.useCats = int(use_cats)
        e.evaluate()
        e.accumulate()
        text.truncate(0)
        text.seek(0)
        e.summarize()
    digest = hashlib.sha256()
    for name in ("precision", "recall", "scores"):
        digest.update(np.ascontiguousarray(e.eval[name], "<f8").tobytes())
    digest.update(struct.pack(f"<{len(e.stats)}d", *e.stats))
    digest.update(text.getvalue().encode())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        print(evaluate(seed) or "no detections")
