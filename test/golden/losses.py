"""
Golden losses and their gradients, written from the papers row by row in float64, not from our graph: `npm run golden
losses`. And a training step of every encoder family, with adapters and with dropout, through the restatement of its
layers.
"""

import json
import math
import os
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from restatement import FAMILIES, Reader, encode, pooled, texts  # noqa: E402
from tiny import random_tensor, uniforms  # noqa: E402

OUT = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def rounded(t):
    return [float("%.9g" % x) for x in t.detach().flatten().tolist()]


def log_share(own, others):
    """log of e^own / (e^own + sum of e^others)."""
    return own - torch.logsumexp(torch.stack([own, *others]), 0)


def dot(a, b):
    return (a * b).sum()


def info_nce(q, p, ns, o, same):
    """ns[k][i] is negative k of row i; same(i, j, k) tells candidates that are left out (k = -1: positives)."""
    b, tau = len(q), o["temperature"]
    loss = 0
    margin = o.get("margin")
    for i in range(b):
        own = dot(q[i], p[i])
        others = []
        for k, column in enumerate([p, *ns], -1):
            for j in range(b):
                if k == -1 and j == i:
                    continue
                s = dot(q[i], column[j])
                if same(i, j, k) or (margin is not None and s > own + margin):
                    continue
                others.append(s / tau)
        loss = loss - log_share(own / tau, others)
    if o["symmetric"]:
        for i in range(b):
            own = dot(q[i], p[i])
            others = []
            for j in range(b):
                s = dot(q[j], p[i])
                if j == i or same(j, i, -1) or (margin is not None and s > own + margin):
                    continue
                others.append(s / tau)
            loss = loss - log_share(own / tau, others)
        loss = loss / 2
    return loss / b


def gte(q, p, ns, o, same):
    b, tau = len(q), o["temperature"]
    loss = 0
    for i in range(b):
        others = [dot(q[i], p[j]) / tau for j in range(b) if j != i]
        others += [dot(q[i], q[j]) / tau for j in range(b) if j != i]
        others += [dot(p[i], q[j]) / tau for j in range(b) if j != i or o["ownPairTwice"]]
        others += [dot(p[i], p[j]) / tau for j in range(b) if j != i]
        loss = loss - log_share(dot(q[i], p[i]) / tau, others)
    return loss / b


def instructor(q, p, ns, o, same):
    b, tau = len(q), o["temperature"]
    loss = 0
    for i in range(b):
        loss = loss - log_share(dot(q[i], p[i]) / tau, [dot(q[i], n[j]) / tau for n in ns for j in range(b)])
        loss = loss - log_share(dot(p[i], q[i]) / tau, [dot(p[i], q[j]) / tau for j in range(b) if j != i])
    return loss / b


def distillation(q, p, ns, o, same, scores):
    b = len(q)
    loss = 0
    for i in range(b):
        student = torch.stack([dot(q[i], c[i]) for c in [p, *ns]]) / o["temperature"]
        teacher = torch.softmax(scores[i] / o["teacherTemperature"], 0)
        loss = loss + (teacher * (teacher.log() - torch.log_softmax(student, 0))).sum()
    nce = info_nce(q, p, ns, dict(temperature=o["temperature"], symmetric=False), lambda *_: False)
    return loss / b + o["contrastive"] * nce


def margin_mse(q, p, ns, o, same, scores):
    terms = []
    for i in range(len(q)):
        for k, n in enumerate(ns):
            lead = dot(q[i], p[i]) - dot(q[i], n[i])
            terms.append((lead - o["scale"] * (scores[i, 0] - scores[i, k + 1])) ** 2)
    return sum(terms) / len(terms)


def cosent(q, p, ns, o, same, scores):
    s = [dot(a, c) for a, c in zip(q, p)]
    terms = [torch.exp(o["scale"] * (s[a] - s[c])) for a in range(len(s)) for c in range(len(s)) if scores[a, 0] < scores[c, 0]]
    return torch.log(1 + sum(terms))


def cosine_mse(q, p, ns, o, same, scores):
    return sum((dot(a, c) - y) ** 2 for a, c, y in zip(q, p, scores[:, 0])) / len(q)


def triplet(q, p, ns, o, same):
    terms = []
    for i in range(len(q)):
        for n in ns:
            if o["distance"] == "cosine":
                near, far = 1 - dot(q[i], p[i]), 1 - dot(q[i], n[i])
            else:
                near, far = (q[i] - p[i]).norm(), (q[i] - n[i]).norm()
            terms.append(torch.clamp(near - far + o["margin"], min=0))
    return sum(terms) / len(terms)


LOSSES = {"info-nce": info_nce, "gte": gte, "instructor": instructor, "distillation": distillation, "margin-mse": margin_mse, "cosent": cosent, "cosine-mse": cosine_mse, "triplet": triplet}
B, D = 5, 12
keep, text, margin = dict(rule="keep"), dict(rule="same-text"), dict(rule="margin", margin=0.02)
CASES = [
    (dict(name="info-nce", temperature=0.05, symmetric=False, falseNegatives=keep), 0),
    (dict(name="info-nce", temperature=0.1, symmetric=True, falseNegatives=keep), 0),
    (dict(name="info-nce", temperature=0.05, symmetric=False, falseNegatives=text), 2),
    (dict(name="info-nce", temperature=0.07, symmetric=True, falseNegatives=margin), 1),
    (dict(name="gte", temperature=0.05, ownPairTwice=True, falseNegatives=keep), 0),
    (dict(name="gte", temperature=0.1, ownPairTwice=False, falseNegatives=keep), 0),
    (dict(name="instructor", temperature=0.05), 1),
    (dict(name="instructor", temperature=0.05), 2),
    (dict(name="distillation", temperature=0.05, teacherTemperature=0.7, contrastive=0.2), 2),
    (dict(name="margin-mse", scale=0.3), 2),
    (dict(name="cosent", scale=20), 0),
    (dict(name="cosine-mse"), 0),
    (dict(name="triplet", margin=0.2, distance="cosine"), 1),
    (dict(name="triplet", margin=0.4, distance="euclidean"), 2),
]
# Candidates (row i, column of b candidates k, row j) with the text of row i: a hard negative that is another's positive.
SAME = [(0, 1, 3), (2, 2, 0), (4, 0, 1)]


def loss_of(loss, columns, scores, matryoshka, same):
    o = dict(loss)
    if loss.get("falseNegatives", {}).get("rule") == "margin":
        o["margin"] = loss["falseNegatives"]["margin"]
    excluded = lambda i, j, k: (i, k + 1, j) in same
    args = (scores,) if loss["name"] in ("distillation", "margin-mse", "cosent", "cosine-mse") else ()
    of = lambda cs: LOSSES[loss["name"]](cs[0], cs[1], cs[2:], o, excluded, *args)
    if matryoshka is None:
        return of(columns)
    cut = lambda c, d: c[:, :d] / c[:, :d].norm(dim=1, keepdim=True)
    return sum(w * of([cut(c, d) for c in columns]) for d, w in zip(matryoshka["dimensions"], matryoshka["weights"]))


losses = []
for loss, h in CASES:
    for matryoshka in [None] + ([dict(dimensions=[12, 6, 3], weights=[1, 0.5, 0.25])] if loss["name"] in ("info-nce", "cosent") else []):
        raw = torch.from_numpy(random_tensor("vectors", [(2 + h) * B, D], 9)).double() * 20
        # float32 vectors are what the graph is given.
        vectors = (raw / raw.norm(dim=1, keepdim=True)).float().double().requires_grad_()
        width = 1 if loss["name"] in ("cosent", "cosine-mse") else 1 + h
        scores = torch.tensor(uniforms(31, B * width)).reshape(B, width).float().double() * (1 if width == 1 else 4)
        uses = loss["name"] == "info-nce" and loss["falseNegatives"]["rule"] != "keep"
        same = [s for s in SAME if s[1] <= h] if uses else []
        value = loss_of(loss, list(vectors.split(B)), scores, matryoshka, same)
        value.backward()
        losses.append(dict(loss=loss, negatives=h, matryoshka=matryoshka, scores=rounded(scores), same=same, vectors=rounded(vectors), value=float(value), gradient=rounded(vectors.grad)))


class Leaves(Reader):
    """Weights that gradients are asked of; adapters of low rank on some; float64."""

    def __init__(self, seed, lora=None):
        super().__init__(seed)
        self.lora = lora
        self.leaves = {}

    def __call__(self, name, *dims):
        if name not in self.leaves:
            self.leaves[name] = super().__call__(name, *dims).requires_grad_()
        w = self.leaves[name]
        prefix = name[: -len(".weight")]
        if self.lora and name.endswith(".weight") and any(prefix.endswith(t) for t in self.lora["suffixes"]):
            for part, shape in (("lora_A", [self.lora["rank"], dims[1]]), ("lora_B", [dims[0], self.lora["rank"]])):
                full = f"{prefix}.{part}.weight"
                if full not in self.leaves:
                    self.leaves[full] = torch.from_numpy(random_tensor(full, shape, self.seed)).double().requires_grad_()
            w = w + self.lora["alpha"] / self.lora["rank"] * self.leaves[f"{prefix}.lora_B.weight"] @ self.leaves[f"{prefix}.lora_A.weight"]
        return w


def summary(name, gradient):
    flat = gradient.flatten()
    step = max(1, len(flat) // 6)
    return dict(name=name, dims=list(gradient.shape), length=float(flat.norm()), sum=float(flat.sum()), step=step, entries=[float("%.7g" % x) for x in flat[::step].tolist()])


LENGTHS, LEFT_OUT, PAIRS = [9, 4, 12, 7, 6, 11], [0, 1, 4, 2, 0, 3], 3
SUFFIXES = {"bert": ["query", "value"], "t5": ["SelfAttention.q", "SelfAttention.v"]}
steps = []
for name, config in FAMILIES.items():
    family = name.split("-")[0]
    for kind, lora in [("weights", None)] + ([("lora", dict(rank=3, alpha=6, suffixes=SUFFIXES[family]))] if name in ("bert", "t5-gated") else []):
        w = Leaves(6, lora)
        rows = texts(config, 22, LENGTHS)
        vectors = torch.stack([pooled(encode(config, w, ids, family), "mean", LEFT_OUT[i]) for i, ids in enumerate(rows)])
        head = w("dense.0.weight", 10, config["hiddenSize"])
        vectors = vectors @ head.T
        vectors = vectors / vectors.norm(dim=1, keepdim=True)
        value = info_nce(vectors[:PAIRS], vectors[PAIRS:], [], dict(temperature=0.1, symmetric=False), lambda *_: False)
        value.backward()
        asked = [n for n in w.leaves if ("lora" in n) == (lora is not None)]
        steps.append(dict(name=name, family=family, config=config, lora=lora and dict(rank=lora["rank"], alpha=lora["alpha"]), value=float(value), gradients=[summary(n, w.leaves[n].grad) for n in asked if w.leaves[n].grad is not None]))

with open(os.path.join(OUT, "losses.json"), "w") as f:
    json.dump(dict(madeBy="test/golden/losses.py", torch=torch.__version__, b=B, d=D, losses=losses, seed=6, textSeed=22, lengths=LENGTHS, leftOut=LEFT_OUT, pairs=PAIRS, temperature=0.1, dense=10, steps=steps), f, separators=(",", ":"))
    f.write("\n")
print("wrote losses.json with torch", torch.__version__)
