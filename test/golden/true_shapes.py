"""
Golden numbers of encoders in their true shapes (base sizes) on seeded random weights: every family, every pooling, with and
without an instruction in the mean. Kept of each vector: its first 12 numbers, its sum and its length. Writes
true-shapes.json beside this file: `npm run golden true_shapes` (some minutes and 8 GB).
"""

import json
import os
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from restatement import Reader, encode, pooled, texts  # noqa: E402



class Trained(Reader):
    """Matrices as large as trained ones: variance 1/inputs (T5's queries 1/(inputs · 64), since its scores are not scaled)."""

    def __call__(self, name, *dims):
        value = super().__call__(name, *dims)
        if len(dims) != 2 or "embeddings" in name or name == "shared.weight" or "relative_attention_bias" in name:
            return value
        inner = dims[1] * (64 if name.endswith("SelfAttention.q.weight") else 1)
        # The generator's matrices are uniform in ±0.25. The product is rounded as the other side does it.
        return (value.float() * torch.tensor((3 / inner) ** 0.5 / 0.25, dtype=torch.float32)).double()


OUT = os.path.dirname(os.path.abspath(__file__))
BASE = dict(vocabSize=30522, hiddenSize=768, layers=12, heads=12, ffnSize=3072)
FAMILIES = {
    "bert-small": dict(BASE, hiddenSize=384, ffnSize=1536, maxPositions=512, typeVocabSize=2, layerNormEps=1e-12, activation="gelu"),
    "bert-base": dict(BASE, maxPositions=512, typeVocabSize=2, layerNormEps=1e-12, activation="gelu"),
    # The table of XLM-R has 250,002 rows; as many as BERT's are enough to check the same arithmetic.
    "roberta-base": dict(BASE, maxPositions=514, typeVocabSize=1, layerNormEps=1e-5, activation="gelu", padId=1),
    "distilbert-base": dict(BASE, layers=6, maxPositions=512, layerNormEps=1e-12, activation="gelu"),
    "mpnet-base": dict(BASE, vocabSize=30527, maxPositions=514, layerNormEps=1e-5, activation="gelu", padId=1, buckets=32),
    "t5-base": dict(vocabSize=32128, hiddenSize=768, headSize=64, layers=12, heads=12, ffnSize=3072, normEps=1e-6, buckets=32, maxDistance=128, activation="relu", gated=False),
    "t5-base-gated": dict(vocabSize=32128, hiddenSize=768, headSize=64, layers=12, heads=12, ffnSize=2048, normEps=1e-6, buckets=32, maxDistance=128, activation="gelu-tanh", gated=True),
}
LENGTHS = [140, 17]
LEFT_OUT = [11, 9]

result = dict(madeBy="test/golden/true_shapes.py", torch=torch.__version__, lengths=LENGTHS, leftOut=LEFT_OUT, textSeed=31, seed=6, families={})
for name, config in FAMILIES.items():
    family = name.split("-")[0]
    w = Trained(result["seed"])
    tokens = [encode(config, w, ids, family) for ids in texts(config, result["textSeed"], LENGTHS)]
    cases = []
    for kind in ["mean", "cls", "max", "mean-sqrt-length", "weighted-mean", "last-token"]:
        for skips in [None, LEFT_OUT]:
            kept = []
            for i, x in enumerate(tokens):
                v = pooled(x, kind, skips[i] if skips else 0)
                v = v / v.norm()
                kept.append(dict(first=[float(f"{y:.9g}") for y in v[:12].tolist()], sum=float(f"{v.sum().item():.9g}")))
            cases.append(dict(pooling=kind, instruction=skips is not None, vectors=kept))
    result["families"][name] = dict(family=family, config=config, cases=cases)
    print(name, flush=True)

with open(os.path.join(OUT, "true-shapes.json"), "w") as f:
    json.dump(result, f, separators=(",", ":"))
    f.write("\n")
print("wrote true-shapes.json with torch", torch.__version__)
