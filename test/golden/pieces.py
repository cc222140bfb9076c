"""
Small SentencePiece models trained on our own sentences, and the ids that the SentencePiece library gives for odd texts.
Written: tokenizers/*.model, pieces.json. Needs the Python package sentencepiece (0.1.97 was used).
"""
import json
import os

import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "tokenizers")
CORPUS = os.path.join(FOLDER, "corpus.txt")

with open(os.path.join(FOLDER, "texts.json"), encoding="utf-8") as file:
    TEXTS = json.load(file)

RULES = os.path.join(FOLDER, "rules.tsv")
# The usual nmt_nfkc rules alone take 240 kB, so the models have few rules of their own, or none.
MODELS = {
    "unigram": dict(model_type="unigram", vocab_size=600, normalization_rule_tsv=RULES),
    "unigram-bytes": dict(
        model_type="unigram",
        vocab_size=900,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        user_defined_symbols=["<sep>", "prompt"],
    ),
    "bpe": dict(model_type="bpe", vocab_size=700, normalization_rule_tsv=RULES, add_dummy_prefix=False),
    "bpe-bytes": dict(
        model_type="bpe",
        vocab_size=1000,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        user_defined_symbols=["<sep>", "prompt"],
    ),
    "bpe-phrases": dict(model_type="bpe", vocab_size=700, split_by_whitespace=False, normalization_rule_name="identity"),
}

golden = {}
for name, options in MODELS.items():
    prefix = os.path.join(FOLDER, name)
    sentencepiece.SentencePieceTrainer.Train(
        input=CORPUS, model_prefix=prefix, minloglevel=2, hard_vocab_limit=False, num_threads=1, **options
    )
    os.remove(prefix + ".vocab")
    processor = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    golden[name] = [processor.encode(text) for text in TEXTS]

with open(os.path.join(HERE, "pieces.json"), "w", encoding="utf-8") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
