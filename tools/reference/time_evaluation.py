"""Times one evaluation by a Python peer, for packages/coco-eval/bench/coco-eval.bench.ts.

python time_evaluation.py pycocotools|faster-coco-eval|ultrafast-pycocotools|hotcoco KIND TRUTH DETECTIONS SOURCE
SOURCE is "files" (from reading the JSON files to the numbers) or "memory" (the objects are there already).
Prints one JSON line: wall and CPU seconds, the numbers, digests of the arrays and the peak memory in MiB.
"""
import contextlib
import hashlib
import io
import json
import resource
import sys
import time

import numpy as np


def read(path, kind):
    with open(path) as file:
        detections = json.load(file)
    if kind == "segm":  # results with masks only, so that a detection's area is its mask's
        for d in detections:
            d.pop("bbox", None)
    return detections


if __name__ == "__main__":
    peer, kind, truth_path, detections_path, source = sys.argv[1:]
    if peer == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluator
    elif peer == "ultrafast-pycocotools":
        from ultrafast_pycocotools import COCO, COCOeval as Evaluator
    elif peer == "hotcoco":
        from hotcoco import COCO, COCOeval as Evaluator
    else:
        from faster_coco_eval import COCO, COCOeval_faster as Evaluator
    with contextlib.redirect_stdout(io.StringIO()):
        native = peer in ("hotcoco", "ultrafast-pycocotools")  # these read the results file themselves
        if source == "memory":
            truth = COCO(truth_path)
            results = truth.loadRes(detections_path) if native else read(detections_path, kind)
        start, cpu = time.perf_counter(), time.process_time()
        if source == "files":
            truth = COCO(truth_path)
            results = truth.loadRes(detections_path) if native else read(detections_path, kind)
        e = Evaluator(truth, results if native else truth.loadRes(results), kind)
        e.evaluate()
        e.accumulate()
        e.summarize()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    digest = {n: hashlib.sha256(np.ascontiguousarray(e.eval[n], "<f8").tobytes()).hexdigest()
              for n in ("precision", "recall", "scores")}
    print(json.dumps(dict(wall=wall, cpu=cpu, stats=[float(v) for v in e.stats], sha256=digest,
                          rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
