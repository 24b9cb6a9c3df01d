"""Times pycocotools' C on the masks of packages/masks/bench/masks.bench.ts.

python time_masks.py FILE    FILE is what the bench wrote: size, strings and polygons. Prints one JSON line of seconds.
"""
import json
import sys
import time

import numpy as np
from pycocotools import mask as M


def best(body, repeats=20):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        data = json.load(file)
    h, w = data["size"]
    rles = [dict(size=[h, w], counts=c.encode()) for c in data["strings"]]
    dense = M.decode(rles)  # [h, w, n], column-major
    rows = [np.ascontiguousarray(dense[:, :, i]) for i in range(dense.shape[2])]
    half = len(rles) // 2
    print(json.dumps({
        "encode columns": best(lambda: M.encode(dense)),
        "encode rows": best(lambda: [M.encode(np.asfortranarray(r)) for r in rows]),
        "decode": best(lambda: [M.decode(r) for r in rles]),
        "merge": best(lambda: [M.merge([rles[i], rles[i + half]]) for i in range(half)]),
        "iou": best(lambda: M.iou(rles[:half], rles[half:], [0] * half)),
        "polygons": best(lambda: [M.frPyObjects(p, h, w) for p in data["polygons"]]),
    }))
