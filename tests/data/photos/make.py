"""Makes every picture of this folder; README.md says what each is for.

    pip install pillow==13.0.0 piexif==1.1.3
    python3 tests/data/photos/make.py

No camera, no person and no place was involved: skies, hills, houses and sensor noise drawn from
a seed. Bright above, dark below, so that a test can tell upright from turned.
"""

import io
import random
import struct
import zlib
from pathlib import Path

import piexif
from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).parent
LONG, SHORT = 1600, 1200
ARTIST = "CANARY-ARTIST-7731"
LATITUDE, LONGITUDE = 28.2468013, 113.0802467
TURNED = 6  # stored lying on its left side; a viewer turns it a quarter clockwise


def noise(size, chance, strength):
    """Grey noise around zero change, a little blurred, as sensors and their filters leave it."""
    width, height = size
    grain = Image.frombytes("L", size, chance.randbytes(width * height))
    grain = grain.filter(ImageFilter.GaussianBlur(0.8))
    return grain.point(lambda level: 128 + round((level - 128) * strength))


def sky(size, top, bottom):
    shade = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), shade)


def ridge(draw, size, level, rough, colour, chance):
    """A hill line across the picture at about `level`, filled down to the lower edge."""
    width, height = size
    heights = [level + chance.randint(-rough, rough) for _ in range(9)]
    line = [(i * width // 8, y) for i, y in enumerate(heights)]
    draw.polygon(line + [(width, height), (0, height)], fill=colour)


def house(draw, x, y, unit, chance):
    wall = tuple(chance.randint(120, 190) for _ in range(3))
    draw.rectangle([x, y, x + 6 * unit, y + 4 * unit], fill=wall)
    gable = [(x - unit, y), (x + 7 * unit, y), (x + 3 * unit, y - 2 * unit)]
    draw.polygon(gable, fill=(84, 56, 48))
    draw.rectangle([x + unit, y + unit, x + 2 * unit, y + 2 * unit], fill=(40, 48, 60))
    draw.rectangle([x + 4 * unit, y + unit, x + 5 * unit, y + 4 * unit], fill=(70, 44, 30))


def scene(size, seed, grain=0.2):
    """An upright picture: sky, three ridges, houses, leaves, noise."""
    chance = random.Random(seed)
    width, height = size
    hue = chance.randint(0, 30)
    picture = sky(size, (150 + hue, 190, 235), (225, 225 - hue // 2, 215))
    draw = ImageDraw.Draw(picture)
    for share, green in ((0.45, 110), (0.55, 85), (0.68, 62)):
        colour = (green - 30, green, green - 35 + hue)
        ridge(draw, size, int(height * share), height // 22, colour, chance)
    unit = width // 40
    for i in range(chance.randint(1, 3)):
        house(draw, int(width * (0.12 + 0.3 * i)), int(height * 0.66), unit, chance)
    for _ in range(500):
        x, y = chance.randint(0, width), chance.randint(int(height * 0.72), height)
        r, leaf = chance.randint(2, unit // 2), chance.randint(30, 95)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=(leaf - 20, leaf, leaf // 3))
    picture = picture.filter(ImageFilter.GaussianBlur(1.1))
    grey = Image.merge("RGB", [noise(size, chance, grain)] * 3)
    return ImageChops.add(picture, grey, 1, -128)


def degrees(value):
    """EXIF degrees, minutes, seconds; 1e-5 of a second keeps all seven decimals."""
    minutes = value * 60 % 60
    seconds = round((value * 3600 - int(value) * 3600 - int(minutes) * 60) * 100_000)
    return ((int(value), 1), (int(minutes), 1), (seconds, 100_000))


def camera_marks(picture, taken):
    """EXIF as a telephone writes it, with everything in it that must not leave the server."""
    preview = io.BytesIO()
    small = picture.copy()
    small.thumbnail((160, 160))
    small.save(preview, "JPEG", quality=60)
    return piexif.dump({
        "0th": {
            piexif.ImageIFD.Make: "Xiangyi Optical",
            piexif.ImageIFD.Model: "Paddy 1",
            piexif.ImageIFD.Orientation: TURNED,
            piexif.ImageIFD.Artist: ARTIST,
            piexif.ImageIFD.DateTime: taken,
        },
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: taken,
            piexif.ExifIFD.OffsetTimeOriginal: "+08:00",
        },
        "GPS": {
            piexif.GPSIFD.GPSVersionID: (2, 3, 0, 0),
            piexif.GPSIFD.GPSLatitudeRef: "N",
            piexif.GPSIFD.GPSLatitude: degrees(LATITUDE),
            piexif.GPSIFD.GPSLongitudeRef: "E",
            piexif.GPSIFD.GPSLongitude: degrees(LONGITUDE),
            piexif.GPSIFD.GPSMapDatum: "WGS-84",
        },
        "1st": {piexif.ImageIFD.Compression: 6},
        "thumbnail": preview.getvalue(),
    })


def photographs():
    """The honest ones."""
    for name, seed, taken in (
        ("exif-courtyard.jpg", 11, "2026:11:20 09:41:07"),
        ("exif-roadside.jpg", 12, "2026:11:20 15:02:55"),
    ):
        lying = scene((SHORT, LONG), seed).transpose(Image.Transpose.ROTATE_90)
        lying.save(HERE / name, quality=55, exif=camera_marks(lying, taken))
    scene((LONG, SHORT), 13).save(HERE / "village-room.jpg", quality=55)
    scene((LONG, 900), 14).save(HERE / "hillside.jpg", quality=60, progressive=True)
    scene((SHORT, LONG), 15).convert("L").save(HERE / "notice-board-grey.jpg", quality=55)
    scene((480, 360), 16, grain=0.1).quantize(64).save(HERE / "sketch.png", optimize=True)
    scene((LONG, SHORT), 17, grain=0.2).save(HERE / "terrace.webp", quality=55, method=6)


def chunk(kind, body):
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def bomb(side):
    """A whole, valid PNG of one colour, one bit a pixel: deflate at its limit of 1:1032."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def hostile():
    """Those that a server must refuse without harm."""
    whole = io.BytesIO()
    scene((800, 600), 21).save(whole, "JPEG", quality=60)
    cut = whole.getvalue()
    (HERE / "truncated.jpg").write_bytes(cut[: len(cut) // 2])
    (HERE / "not-a-photo.jpg").write_text("This is plain text under a picture's name.\n" * 40)
    (HERE / "bomb.png").write_bytes(bomb(30_000))
    (HERE / "empty.jpg").write_bytes(b"")


if __name__ == "__main__":
    photographs()
    hostile()
    for file in sorted(HERE.glob("*.*g")) + sorted(HERE.glob("*.webp")):
        print(f"{file.stat().st_size:>8} {file.name}")
