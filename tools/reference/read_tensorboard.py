"""What the real TensorBoard reads from a run folder, as JSON on stdout: read_tensorboard.py FOLDER

Scalars as {tag: [[step, value], ...]}, images as {tag: [[step, width, height, SHA-256 of the PNG], ...]}. The test
packages/train/test/tensorboard-reference.test.ts runs it when RCNN_TENSORBOARD_PYTHON names a Python that has
tensorboard (2.21 was used).
"""
import hashlib
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"scalars": 0, "images": 0}  # 0: keep all, no sampling

accumulator = EventAccumulator(sys.argv[1], size_guidance=EVERYTHING)
accumulator.Reload()
tags = accumulator.Tags()
json.dump(
    {
        "scalars": {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "images": {
            tag: [
                [e.step, e.width, e.height, hashlib.sha256(e.encoded_image_string).hexdigest()]
                for e in accumulator.Images(tag)
            ]
            for tag in tags["images"]
        },
    },
    sys.stdout,
)
