"""Makes test/golden/encoder.json and training.json again: `npm run golden`."""

import json
import os
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tiny import TINY, embed, info_nce, random_texts, random_weights  # noqa: E402

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def rounded(t):
    """Nine digits tell every float32 apart."""
    return [float("%.9g" % x) for x in t.detach().flatten().tolist()]


def save(name, value):
    with open(os.path.join(OUT, name), "w") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")


about = dict(madeBy="test/golden/encoder.py", torch=torch.__version__, config=TINY)


def encoders():
    weights = random_weights(TINY, 1)
    ids, mask = random_texts(TINY, 11, 5, 12)
    cases = []
    for pooling in ["mean", "cls", "max"]:
        for normalise in [False, True]:
            e = embed(TINY, weights, ids, mask, pooling, normalise)
            cases.append(dict(pooling=pooling, normalise=normalise, embeddings=rounded(e)))
    save("encoder.json", dict(**about, seed=1, textSeed=11, texts=5, tokens=12, ids=ids.tolist(), mask=mask.tolist(), cases=cases))


def summary(name, gradient):
    """A large gradient is kept as its sum, its length and 24 entries spread over it."""
    flat = gradient.flatten()
    step = max(1, len(flat) // 24)
    picked = list(range(0, len(flat), step))
    return dict(name=name, dims=list(gradient.shape), length=float(flat.double().norm()), sum=float(flat.double().sum()), step=step, entries=rounded(flat[picked]))


def training():
    cases = []
    for pooling, normalise, symmetric, temperature in [
        ("mean", True, False, 0.05),
        ("mean", True, True, 0.05),
        ("cls", True, True, 0.1),
        ("max", True, False, 0.1),
        ("mean", False, True, 4.0),
    ]:
        # The reference is float64, so that its own rounding is out of the question.
        weights = {n: w.double().requires_grad_() for n, w in random_weights(TINY, 2).items()}
        ids, mask = random_texts(TINY, 12, 8, 10)
        e = embed(TINY, weights, ids, mask, pooling, normalise)
        loss = info_nce(e[:4], e[4:], temperature, symmetric)
        loss.backward()
        gradients = [summary(n, w.grad) for n, w in weights.items()]
        cases.append(dict(pooling=pooling, normalise=normalise, symmetric=symmetric, temperature=temperature, loss=float(loss), gradients=gradients))
    save("training.json", dict(**about, seed=2, textSeed=12, pairs=4, tokens=10, ids=ids.tolist(), mask=mask.tolist(), cases=cases))


encoders()
training()
print("wrote encoder.json and training.json with torch", torch.__version__)
