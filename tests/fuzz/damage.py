"""Damaged copies of bytes, drawn from a seed. FUZZ=2000 in the environment asks for more of them than CI tries."""

import os
import random

CASES = int(os.environ.get("FUZZ", "40"))


def damaged(content, seed):
    """CASES copies of `content`, each with one to three kinds of damage."""
    for case in range(CASES):
        rng, copy = random.Random(f"{seed}-{case}"), bytearray(content)
        for _ in range(rng.randint(1, 3)):
            rng.choice(KINDS)(rng, copy)
        yield bytes(copy)


def flip(rng, copy):
    for _ in range(rng.choice([1, 1, 8])):
        if copy:
            copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)


def truncate(rng, copy):
    del copy[rng.randrange(len(copy) + 1) :]


def blank(rng, copy):
    start = rng.randrange(len(copy) + 1)
    end = min(len(copy), start + rng.randrange(64))
    copy[start:end] = bytes([rng.choice([0, 255])]) * (end - start)


def repeat(rng, copy):
    start = rng.randrange(len(copy) + 1)
    copy[start:start] = copy[start : start + rng.randrange(256)]


def extend(rng, copy):
    copy += rng.randbytes(rng.randrange(64))


def enlarge(rng, copy):
    """Where a size may stand, a large one."""
    start = rng.randrange(min(len(copy), 64) + 1)
    copy[start : start + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0"])


KINDS = [flip, flip, truncate, blank, repeat, extend, enlarge]
