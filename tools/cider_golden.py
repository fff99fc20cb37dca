"""Print the golden values of tests/evaluate/test_captions.py, in an environment that has pycocoevalcap 1.2.

python tools/cider_golden.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "src")]


def main() -> None:
    """Score with the reference."""
    import ast

    from pycocoevalcap.cider.cider_scorer import CiderScorer

    tree = ast.parse((Path(__file__).parent.parent / "tests/evaluate/test_captions.py").read_text(encoding="utf-8"))
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    references, captions = (ast.literal_eval(values[name]) for name in ("REFERENCES", "CAPTIONS"))
    scorer = CiderScorer(n=4, sigma=6.0)
    for caption, some in zip(captions, references, strict=True):
        scorer += (caption, some)
    print([round(float(value), 6) for value in scorer.compute_score()[1]])


if __name__ == "__main__":
    main()
