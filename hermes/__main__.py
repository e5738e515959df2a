"""``python -m hermes`` is ``hermes-lab``."""

from hermes.rules import main

main()
