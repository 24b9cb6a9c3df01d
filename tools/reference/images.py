"""Pillow's pixels for the tests of coco-data (JPEG decoding) and transforms (bilinear resize).

Writes packages/coco-data/test/fixtures/*.jpg with decoded.json, and packages/transforms/test/fixtures/resized.json.
Images are drawn from formulas; only digests of Pillow's results are kept. Needs numpy and Pillow.
"""
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image, __version__

ROOT = Path(__file__).resolve().parents[2]


def drawn(height: int, width: int) -> np.ndarray:
    """Smooth colours, hard edges and fine texture: what JPEG codes in different ways."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127 + 120 * np.sin(x / 9) * np.cos(y / 13)
    green = np.where((x // 8 + y // 8) % 2 == 0, 220, 40) * (0.5 + 0.5 * x / width)
    blue = (x * 7 + y * 13 + x * y) % 256
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 3) ** 2
    blue = np.where(disc, 250, blue * 0.3)
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 255).astype(np.uint8)


def pattern(height: int, width: int) -> np.ndarray:
    """The same formula stands in the test: (7 x + 13 y + 101 c + x y) mod 256."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return ((7 * x + 13 * y + 101 * c + x * y) % 256).astype(np.uint8)


def sha256(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image.convert("RGB")).tobytes()).hexdigest()


def jpegs() -> None:
    folder = ROOT / "packages/coco-data/test/fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    cases = {
        "420": dict(quality=75, subsampling=2),
        "422": dict(quality=85, subsampling=1),
        "444": dict(quality=95, subsampling=0),
        "progressive": dict(quality=80, subsampling=2, progressive=True),
        "low": dict(quality=10, subsampling=2),
        "optimized": dict(quality=60, subsampling=2, optimize=True),
    }
    digests = {}
    for i, (name, options) in enumerate(cases.items()):
        file = folder / f"{name}.jpg"
        Image.fromarray(drawn(61 + 8 * i, 83 - 5 * i)).save(file, **options)
        digests[file.name] = sha256(Image.open(file))
    grey = folder / "grey.jpg"
    Image.fromarray(drawn(50, 70)[..., 0]).save(grey, quality=80)
    digests[grey.name] = sha256(Image.open(grey))
    (folder / "decoded.json").write_text(json.dumps({"pillow": __version__, "sha256": digests}, indent=1) + "\n")


def resizes() -> None:
    folder = ROOT / "packages/transforms/test/fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [((48, 64), (96, 128)), ((48, 64), (37, 91)), ((48, 64), (7, 5)), ((33, 21), (100, 20)), ((5, 3), (64, 64)), ((120, 90), (61, 90)), ((40, 40), (1, 1)), ((48, 64), (47, 63)), ((48, 64), (47, 65)), ((48, 64), (40, 60)), ((48, 64), (40, 61)), ((48, 64), (60, 100)), ((200, 200), (90, 145)), ((200, 200), (90, 146))]
    cases = []
    for before, after in sizes:
        resized = Image.fromarray(pattern(*before)).resize((after[1], after[0]), Image.Resampling.BILINEAR)
        cases.append({"before": before, "after": after, "sha256": sha256(resized)})
    (folder / "resized.json").write_text(json.dumps({"pillow": __version__, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    jpegs()
    resizes()
