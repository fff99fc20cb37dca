"""What a checkpoint is, from its headers alone: no torch is imported and no weight is read."""

import sys

from tutti.cli.main import main

main(["inspect", "tutti-mini"])
assert "torch" not in sys.modules
print("torch was not needed.")
