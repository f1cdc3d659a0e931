"""Cut the development rig down to the files the product carries in assets/rig.

Run: python -m training.rig.slim_rig <folder with rig/ and london/> [assets/rig]

Source: ICT-FaceKit geometry (MIT) and textures derived from the Face Research Lab London Set (CC BY 4.0).
Modes are stored as integers with one step per mode: compressed, they take half the space of float16. The error of a
vertex is at most MAX_STEP / 2 per unit coefficient.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import prepare_folder, write_bytes, writing

OUT = Path("assets/rig")
MAX_STEP = 0.002  # cm
TEXTURE_SIZE = 256  # a 64-pixel face covers about 100 of these texels


def quantize(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers and a step per mode, so that `modes` ~ integers * step.

    Args:
        modes: (M, V, 3) displacements in cm.

    Returns:
        int16 (M, V * 3) and float32 (M,) steps in cm.
    """
    flat = modes.reshape(len(modes), -1).astype(np.float32)
    step = np.minimum(np.abs(flat).max(1) / 127, MAX_STEP)
    step = np.where(step > 0, step, 1).astype(np.float32)
    return np.round(flat / step[:, None]).astype(np.int16), step


def read_splits(path: Path) -> dict[str, str]:
    """Person id -> "rig" or "heldout", from the London Set's table."""
    with open(path, newline="") as file:
        return {row["person"]: row["split"] for row in csv.DictReader(file)}


def main() -> None:
    """Write assets/rig and print its size and its largest error."""
    parser = argparse.ArgumentParser(description="Slim the face rig for assets/rig.")
    parser.add_argument("source", type=Path, help="development data folder holding rig/ and london/")
    parser.add_argument("out", type=Path, nargs="?", default=OUT, help="default: assets/rig")
    parser.add_argument("--overwrite", action="store_true", help="also replace files that LatentFace did not write")
    args = parser.parse_args()
    overwrite = args.overwrite or args.out == OUT
    rig, fits = np.load(args.source / "rig/ict_rig.npz"), np.load(args.source / "rig/fits.npz")
    splits = read_splits(args.source / "london/london.csv")
    modes = np.concatenate([rig["identity"], rig["expression"]])
    integers, step = quantize(modes)
    error = np.abs(integers * step[:, None] - modes.reshape(len(modes), -1)).max()
    prepare_folder(args.out / "textures", [f"{person}.jpg" for person in fits["ids"]], overwrite)
    with writing(args.out / "rig.npz", overwrite) as part, open(part, "wb") as file:
        np.savez_compressed(
            file, neutral=rig["neutral"], modes=integers, mode_step=step,
            expression_names=rig["expression_names"], triangles=rig["triangles"].astype(np.uint16),
            triangle_uvs=rig["triangle_uvs"].astype(np.uint16), uvs=rig["uvs"],
            triangle_material=rig["triangle_material"], materials=rig["materials"], ids=fits["ids"],
            splits=np.array([splits[person] for person in fits["ids"]]),
            identity_coefficients=fits["identity_coefficients"], skin=fits["skin"], hair=fits["hair"])
    for person in fits["ids"]:
        texture = Image.open(args.source / f"rig/textures/{person}.jpg").convert("RGB")
        with writing(args.out / f"textures/{person}.jpg", overwrite) as part:
            texture.resize((TEXTURE_SIZE, TEXTURE_SIZE), Image.Resampling.LANCZOS).save(part, "JPEG", quality=90)
    for licence in ("LICENSE-ICT-FaceKit.txt", "LICENSE-London-CC-BY-4.0.md"):
        write_bytes(args.out / licence, (args.source / "rig" / licence).read_bytes(), overwrite)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"largest error {error:.4f} cm per unit coefficient, {size / 1e6:.1f} MB in {args.out}")


if __name__ == "__main__":
    main()
