"""Pictures that an image library really has to decode, into the folder that the argument names."""

import os
import pathlib
import sys

from PIL import Image

folder = pathlib.Path(sys.argv[1])


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    size = width * height * len(mode)
    return Image.frombytes(mode, (width, height), os.urandom(size))


noise(1000, 700).save(folder / "noise.png")
noise(300, 200).save(folder / "small.png")

# stored on its side: a viewer, and a thumbnail, turn it by a quarter
exif = Image.Exif()
exif[0x0112] = 6
noise(800, 400).save(folder / "turned.jpg", exif=exif, quality=70)

frames = [noise(200, 150) for _ in range(4)]
frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)

noise(400, 300, "RGBA").save(folder / "alpha.webp", lossless=True)
