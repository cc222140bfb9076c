#!/usr/bin/python3
"""Oracle values for kernels/evaluate from NumPy, SciPy and scikit-learn on seeded synthetic data.

Writes evaluate.json beside itself. Needs Debian's python3-numpy, python3-scipy and python3-sklearn.
The retrieval measures are restated here from trec_eval's definitions; nothing of ours is called.
"""
import json
import math
import os
import random

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

HERE = os.path.dirname(os.path.abspath(__file__))


def shuffles(n, rounds):
    """The index lists of MTEB v1's rounds: one list, re-seeded and shuffled again and again."""
    order = np.arange(n)
    lists = []
    for _ in range(rounds):
        np.random.RandomState(42).shuffle(order)
        lists.append([int(i) for i in order])
    return lists


def xoshiro128starstar(state, n):
    """Blackman and Vigna's generator in plain integers."""
    mask, out = 2**32 - 1, []
    a, b, c, d = state
    rotate = lambda x, k: ((x << k) | (x >> (32 - k))) & mask
    for _ in range(n):
        out.append(rotate(b * 5 & mask, 7) * 9 & mask)
        t = b << 9 & mask
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= t
        d = rotate(d, 11)
    return out


def generator():
    state = np.random.RandomState(42)
    return {
        "uint32": [int(x) for x in state.randint(0, 2**32, size=8, dtype=np.uint32)],
        "xoshiro": xoshiro128starstar([1, 2, 3, 4], 12),
        "ten": shuffles(10, 3),
        # A longer list as a checksum, so that the file stays small: sum of place times item, by round.
        "long": {"n": 10003, "sums": [int(sum(p * i for p, i in enumerate(l))) for l in shuffles(10003, 10)]},
    }


def correlations():
    cases = []
    rng = np.random.default_rng(1)
    for n, decimals in [(5, None), (40, None), (40, 0), (200, 1)]:
        x = rng.normal(size=n)
        y = 0.6 * x + rng.normal(size=n)
        if decimals is not None:
            x, y = np.round(x, decimals), np.round(y * 2, decimals)
        x, y = np.round(x, 6), np.round(y, 6)
        cases.append({
            "x": x.tolist(), "y": y.tolist(),
            "ranks": stats.rankdata(x).tolist(),
            "spearman": float(stats.spearmanr(x, y)[0]),
            "pearson": float(stats.pearsonr(x, y)[0]),
        })
    return cases


def trec(run, qrels, k=10):
    """ndcg_cut_k, recip_rank cut at k, recall_k and map_cut_k of one query; ties: document id, descending."""
    ranked = sorted(run.items(), key=lambda item: (item[1], item[0]), reverse=True)
    gains = [qrels.get(doc, 0) for doc, _ in ranked[:k]]
    ideal = sorted((r for r in qrels.values() if r > 0), reverse=True)[:k]
    relevant = sum(1 for r in qrels.values() if r > 0)
    if relevant == 0:
        return {"ndcg": 0.0, "mrr": 0.0, "recall": 0.0, "map": 0.0}
    dcg = sum(max(g, 0) / math.log2(i + 2) for i, g in enumerate(gains))
    idcg = sum(g / math.log2(i + 2) for i, g in enumerate(ideal))
    hits, precisions, first = 0, 0.0, 0
    for i, g in enumerate(gains):
        if g > 0:
            hits += 1
            precisions += hits / (i + 1)
            first = first or i + 1
    return {"ndcg": dcg / idcg, "mrr": 1 / first if first else 0.0, "recall": hits / relevant, "map": precisions / relevant}


def retrieval():
    """Small whole-number vectors on a few directions, so that cosines tie exactly; graded and negative judgements."""
    rng = random.Random(7)
    axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 4, 0], [0, 3, 4], [4, 0, 3], [-1, 0, 0]]
    documents = [{"id": str(rng.randrange(10**6)) if i % 5 else f"é{i}", "vector": rng.choice(axes)} for i in range(60)]
    documents = list({d["id"]: d for d in documents}.values())
    queries = [{"id": f"q{i}", "vector": rng.choice(axes[:6])} for i in range(11)]
    # One document has a query's id: it has to be left out for that query.
    documents.append({"id": "q3", "vector": queries[3]["vector"]})
    relevant, out = {}, {}
    for q in queries:
        judged = rng.sample(documents, 8)
        relevant[q["id"]] = {d["id"]: rng.choice([-1, 0, 1, 1, 2, 3]) for d in judged}
    relevant["q5"] = {documents[0]["id"]: 0}
    relevant["q6"]["not-in-the-corpus"] = 2
    for q in queries:
        norm = math.sqrt(sum(x * x for x in q["vector"]))
        run = {}
        for d in documents:
            if d["id"] == q["id"]:
                continue
            dot = sum(x * y for x, y in zip(q["vector"], d["vector"]))
            run[d["id"]] = float(np.float32(dot / norm / math.sqrt(sum(x * x for x in d["vector"]))))
        out[q["id"]] = trec(run, relevant[q["id"]])
    return {"queries": queries, "documents": documents, "relevant": relevant, "measures": out}


def blobs(seed, classes, per_class, d, spread):
    """The clouds of test/evaluate/blobs.ts: a linear congruential generator, so that both sides make the same numbers."""
    state = seed
    def uniform():
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return state / 2**32
    centres = [[uniform() - 0.5 for _ in range(d)] for _ in range(classes)]
    rows, labels = [], []
    for i in range(per_class * classes):
        k = i % classes
        row = np.array([c + spread * (uniform() + uniform() + uniform() - 1.5) for c in centres[k]])
        rows.append((row / np.linalg.norm(row)).astype(np.float32))
        labels.append(k)
    return np.array(rows), np.array(labels)


def logistic():
    """Accuracy of scikit-learn's own classifier under MTEB's ten rounds, over ten data seeds and two class counts."""
    cases = []
    for classes, samples in [(2, 8), (6, 8), (20, 4)]:
        for seed in range(1, 11):
            d = 24
            x, y = blobs(seed, classes, 60, d, 0.9)
            # The first 40 of each class train, the rest test.
            cut = 40 * classes
            order = np.arange(cut)
            accuracies, f1s, aps = [], [], []
            for _ in range(10):
                np.random.RandomState(42).shuffle(order)
                taken, rows = {}, []
                for i in order:
                    if taken.get(y[i], 0) < samples:
                        rows.append(i)
                        taken[y[i]] = taken.get(y[i], 0) + 1
                model = LogisticRegression(max_iter=100).fit(x[rows], y[rows])
                said = model.predict(x[cut:])
                accuracies.append(float((said == y[cut:]).mean()))
                f1s.append(float(f1_score(y[cut:], said, average="macro")))
                if classes == 2:
                    aps.append(float(average_precision_score(y[cut:], said)))
            case = {"classes": classes, "samples": samples, "seed": seed, "d": d,
                    "accuracy": float(np.mean(accuracies)), "f1": float(np.mean(f1s))}
            if classes == 2:
                case["ap"] = float(np.mean(aps))
            cases.append(case)
    # One fit to the end, to compare the optimum itself.
    x, y = blobs(3, 6, 20, 24, 0.9)
    model = LogisticRegression(max_iter=10000, tol=1e-9).fit(x, y)
    p = model.predict_proba(x)
    loss = float(-np.log(p[np.arange(len(y)), y]).sum() + 0.5 * (model.coef_ ** 2).sum())
    return {"cases": cases, "optimum": {"loss": loss, "weight_norm": float(np.sqrt((model.coef_ ** 2).sum()))}}


def quantiles():
    x = np.round(np.random.default_rng(5).normal(size=37), 6)
    return {"x": x.tolist(), "q": [0.025, 0.5, 0.975], "values": np.quantile(x, [0.025, 0.5, 0.975]).tolist()}


def resamples():
    """Spearman of resamples written out in full, for the walk that avoids sorting."""
    rng = np.random.default_rng(9)
    x = np.round(rng.normal(size=30), 1)
    y = rng.integers(0, 6, size=30).astype(float)
    cases = []
    for _ in range(5):
        rows = rng.integers(0, 30, size=30)
        cases.append({"counts": np.bincount(rows, minlength=30).tolist(), "spearman": float(stats.spearmanr(x[rows], y[rows])[0])})
    return {"x": x.tolist(), "y": y.tolist(), "cases": cases}


with open(os.path.join(HERE, "evaluate.json"), "w") as file:
    json.dump({
        "made_by": "test/golden/evaluate.py",
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__},
        "generator": generator(),
        "correlations": correlations(),
        "resamples": resamples(),
        "quantiles": quantiles(),
        "retrieval": retrieval(),
        "logistic": logistic(),
    }, file, indent=1)
    file.write("\n")
