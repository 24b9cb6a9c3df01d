"""Seeded whole numbers that TypeScript draws too, so that only digests of big random tests need to be stored."""

M32 = 0xFFFFFFFF


def mix(x):
    x ^= x >> 16
    x = x * 0x7FEB352D & M32
    x ^= x >> 15
    x = x * 0x846CA68B & M32
    return x ^ (x >> 16)


class Draw:
    """The same numbers as `Draw` in tools/shared/seeded.ts."""

    def __init__(self, seed):
        self.state = seed & M32

    def __call__(self, bound):
        """A whole number in [0, bound)."""
        self.state = (self.state + 0x9E3779B9) & M32
        return mix(self.state) * bound >> 32
