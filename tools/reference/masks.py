"""Digests of random masks by pycocotools, for packages/masks/test/reference.test.ts.

python masks.py FIRST_BATCH BATCHES    prints one SHA-256 per batch of 1,000 cases, one per line
"""
import hashlib
import struct
import sys

import numpy as np
from pycocotools import mask as M

from seeded import Draw

DENOMINATORS = (1, 2, 5, 10, 100)


def polygon(draw, h, w):
    den = DENOMINATORS[draw(5)]
    points = 3 + draw(10)
    flat = []
    for _ in range(points):
        flat.append((draw((w + 20) * den) - 10 * den) / den)
        flat.append((draw((h + 20) * den) - 10 * den) / den)
    return flat


def box(draw, h, w):
    den = DENOMINATORS[draw(5)]
    return [(draw((w + 20) * den) - 10 * den) / den, (draw((h + 20) * den) - 10 * den) / den,
            draw((w + 10) * den) / den, draw((h + 10) * den) / den]


def bitmap(draw, h, w):
    longest = 1 + draw(2 * h)
    flat = np.zeros(h * w, np.uint8)
    at, value = 0, draw(2)
    while at < h * w:
        end = min(h * w, at + 1 + draw(longest))
        flat[at:end] = value
        at, value = end, 1 - value
    return np.asfortranarray(flat.reshape((h, w), order="F"))


def case(seed):
    draw = Draw(seed)
    big = draw(8) == 0
    h, w = 1 + draw(300 if big else 40), 1 + draw(300 if big else 40)
    kind = draw(4)
    if kind == 0:
        parts = 1 + (draw(3) if draw(4) == 0 else 0)
        rle = M.merge(M.frPyObjects([polygon(draw, h, w) for _ in range(parts)], h, w))
    elif kind == 1:
        rle = M.frPyObjects(np.array([box(draw, h, w)]), h, w)[0]
    elif kind == 2:
        rle = M.encode(bitmap(draw, h, w))
        assert (M.decode(rle) == bitmap(_again(seed), h, w)).all()
    else:
        rle = M.merge(M.frPyObjects([polygon(draw, h, w), polygon(draw, h, w)], h, w), intersect=True)
    other = M.frPyObjects([polygon(draw, h, w)], h, w)[0]
    iou = M.iou([rle], [other], [draw(2)])[0][0]
    numbers = [float(M.area(rle)), *M.toBbox(rle).tolist(), float(iou)]
    return rle["counts"] + b"\n" + struct.pack("<6d", *numbers)


def _again(seed):
    draw = Draw(seed)
    big = draw(8) == 0
    for bound in (300 if big else 40,) * 2 + (4,):
        draw(bound)
    return draw


if __name__ == "__main__":
    first, batches = int(sys.argv[1]), int(sys.argv[2])
    for batch in range(first, first + batches):
        digest = hashlib.sha256()
        for i in range(1000):
            digest.update(case(batch * 1000 + i))
        print(digest.hexdigest(), flush=True)
