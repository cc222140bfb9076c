"""
Golden vectors of every encoder family, written from the papers and not from our graph: one text at a time without any
padding, one head at a time, in float64. Writes architectures.json beside this file: `npm run golden architectures`.
"""

import json
import os
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from restatement import FAMILIES, Reader, bucket, encode, numbers, pooled, texts  # noqa: E402

OUT = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)

LENGTHS = [150, 1, 37, 9]
LEFT_OUT = [12, 0, 36, 3]
DENSE = 10


result = dict(madeBy="test/golden/architectures.py", torch=torch.__version__, lengths=LENGTHS, leftOut=LEFT_OUT, textSeed=21, seed=5, families={})
for name, config in FAMILIES.items():
    family = name.split("-")[0]
    w = Reader(result["seed"])
    rows = texts(config, result["textSeed"], LENGTHS)
    tokens = [encode(config, w, ids, family) for ids in rows]
    cases = []
    for kind in ["mean", "cls", "max", "mean-sqrt-length", "weighted-mean", "last-token"]:
        for skips in [None, LEFT_OUT]:
            vectors = [pooled(x, kind, skips[i] if skips else 0) for i, x in enumerate(tokens)]
            cases.append(dict(pooling=kind, instruction=skips is not None, dense=False, normalise=False, vectors=numbers(vectors)))
    # InstructOR: mean without the instruction, a dense layer without bias, unit length.
    head = w("dense.weight", DENSE, config["hiddenSize"])
    vectors = [head @ pooled(x, "mean", LEFT_OUT[i]) for i, x in enumerate(tokens)]
    cases.append(dict(pooling="mean", instruction=True, dense=True, normalise=True, vectors=numbers([v / v.norm() for v in vectors])))
    del w.shapes["dense.weight"]
    result["families"][name] = dict(family=family, config=config, shapes=w.shapes, cases=cases)

distances = list(range(-140, 141))
result["buckets"] = [dict(buckets=n, maxDistance=m, first=-140, of=[bucket(r, n, m) for r in distances]) for n, m in [(32, 128), (32, 64), (16, 128)]]
with open(os.path.join(OUT, "architectures.json"), "w") as f:
    json.dump(result, f, separators=(",", ":"))
    f.write("\n")
print("wrote architectures.json with torch", torch.__version__)
