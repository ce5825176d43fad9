"""What backpropagation does, step by step: small networks, every number, and the same from autograd.

Each lesson is a module with the same four functions: one that computes and returns a frozen dataclass, ``lines`` that
tells it as text, ``draw`` that makes the picture, and ``to_dict`` for ``--json``. What they say stands in ``words/``,
in English and in Indonesian.
"""
