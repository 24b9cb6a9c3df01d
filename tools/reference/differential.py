"""Compares what our parsers made of damaged files with pycocotools, safetensors and PyYAML.

node --import tsx tools/fuzz/src/differential.ts --runs 5000 > answers.jsonl     (in tools/fuzz)
python differential.py answers.jsonl

    python differential.py answers.jsonl --freeze 60 > ../fuzz/test/fixtures/answers.jsonl

What we accept must be accepted there, and be the same. That we refuse more is meant, and counted.
"""
import base64
import collections
import hashlib
import json
import math
import sys

import numpy as np
import safetensors
import yaml
from pycocotools import mask as M

DTYPES = {'F32': 'float32', 'F64': 'float64', 'F16': 'float16', 'BF16': 'bfloat16', 'I64': 'int64', 'I32': 'int32',
          'I16': 'int16', 'I8': 'int8', 'U8': 'uint8', 'BOOL': 'bool', 'U16': 'uint16', 'U32': 'uint32', 'U64': 'uint64'}


def rle(data):
    text = data.decode('utf8', 'replace').encode('utf8')
    return hashlib.sha256(np.ascontiguousarray(M.decode({'size': [16, 20], 'counts': text})).tobytes()).hexdigest()


def tensors(data):
    return sorted([name, DTYPES.get(t['dtype'], t['dtype']), t['shape'], hashlib.sha256(t['data']).hexdigest()]
                  for name, t in safetensors.deserialize(data))


def as_json(value):
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): as_json(v) for key, v in value.items()}
    if isinstance(value, list):
        return [as_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def options(data):
    return as_json(yaml.safe_load(data.decode('utf8', 'replace')))


def is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def kinds(ours, theirs, found):
    """Where two values of YAML differ: the pairs of scalars."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and list(map(str, ours)) == list(map(str, theirs)):
        for a, b in zip(ours.values(), theirs.values()):
            kinds(a, b, found)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for a, b in zip(ours, theirs):
            kinds(a, b, found)
    elif isinstance(theirs, str) and (ours is None or isinstance(ours, (int, float))) and is_number(theirs):
        pass  # YAML 1.1 wants a point and a sign in 1.0e+5; JSON has no word for what is too large
    elif ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
        found.append((ours, theirs))


READERS = {'rle': rle, 'safetensors': tensors, 'options': options}
counts = collections.defaultdict(collections.Counter)
for line in open(sys.argv[1]):
    answer = json.loads(line)
    name, data = answer['name'], base64.b64decode(answer['file'])
    if name == 'rle' and 'refused' in answer:
        counts[name]['refused by us (pycocotools would read past its memory)'] += 1
        continue
    try:
        theirs = READERS[name](data)
    except Exception as error:
        counts[name]['refused by both' if 'refused' in answer else 'ACCEPTED BY US ALONE'] += 1
        if 'refused' not in answer:
            print(name, answer['run'], 'accepted by us alone:', file=sys.stderr) if '--freeze' in sys.argv else print(name, answer['run'], 'accepted by us alone:', str(error).split('\n')[0][:150], answer['ours'])
        continue
    if 'refused' in answer:
        counts[name]['refused by us alone'] += 1
        counts[name + ' refused for'][answer['refused'].split(';')[0].split(':', 1)[-1][:60]] += 1
    else:
        ours = sorted(answer['ours']) if name == 'safetensors' else answer['ours']
        found = []
        kinds(ours, theirs, found)
        counts[name]['same' if not found else 'DIFFERENT'] += 1
        if '--freeze' in sys.argv:
            if not found and counts[name]['same'] <= int(sys.argv[-1]):
                print(json.dumps({'name': name, 'file': answer['file'], 'theirs': theirs}))
            continue
        for pair in found[:3]:
            print(name, answer['run'], 'ours, theirs:', *pair)
if '--freeze' in sys.argv:
    sys.exit()
for name, count in counts.items():
    print(name, dict(count.most_common(12)))
