"""Golden numbers of torch.optim.AdamW with clip_grad_norm_: writes adamw.json beside this file.

Run with a Python that has torch, e.g. /usr/bin/python3 test/golden/adamw.py
"""
import json
import pathlib

import torch

torch.manual_seed(7)
torch.set_num_threads(1)

shapes = {"encoder.dense.weight": [5, 7], "encoder.dense.bias": [7], "encoder.LayerNorm.weight": [6]}
options = {"learningRate": 0.02, "weightDecay": 0.1, "clipNorm": 1.0, "steps": 12}

weights = {name: torch.nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}
start = {name: value.detach().flatten().tolist() for name, value in weights.items()}
decayed = [weights["encoder.dense.weight"]]
plain = [weights["encoder.dense.bias"], weights["encoder.LayerNorm.weight"]]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": options["weightDecay"]}, {"params": plain, "weight_decay": 0.0}],
    lr=options["learningRate"],
)

steps = []
for step in range(options["steps"]):
    # Steps 0, 4, 8 are long enough to be clipped, the others are not; step 5 has an exact zero gradient.
    size = 3.0 if step % 4 == 0 else 0.0 if step == 5 else 0.05
    gradients = {name: torch.randn(shape) * size for name, shape in shapes.items()}
    for name, value in weights.items():
        value.grad = gradients[name].clone()
    norm = torch.nn.utils.clip_grad_norm_(list(weights.values()), options["clipNorm"])
    optimizer.step()
    steps.append(
        {
            "gradients": {name: value.flatten().tolist() for name, value in gradients.items()},
            "norm": float(norm),
            "weights": {name: value.detach().flatten().tolist() for name, value in weights.items()},
        }
    )

golden = {"torch": torch.__version__, "shapes": shapes, "options": options, "start": start, "steps": steps}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
