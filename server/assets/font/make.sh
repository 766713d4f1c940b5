#!/bin/sh
# Makes strip.otf: the letters that a strip of evidence may need, out of Debian's Noto Sans CJK
# SC (OFL 1.1, see NOTICE). Run it in this folder; it needs the network.
#
#   sh make.sh
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$PWD
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install fonttools==4.60.1
cd "$work"
apt-get download fonts-noto-cjk
dpkg-deb -x fonts-noto-cjk_*.deb deb
# ASCII, GB 2312 whole, punctuation, and every letter of the region names of this build.
python3 - "$here/../../../proto/data" > letters.txt <<'PY'
import pathlib, sys
letters = {chr(c) for c in range(0x20, 0x7F)}
for high in range(0xA1, 0xF8):
    for low in range(0xA1, 0xFF):
        try:
            letters.add(bytes([high, low]).decode("gb2312"))
        except UnicodeDecodeError:
            pass
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    if "region" in path.name or "unit" in path.name or "village" in path.name:
        letters |= {c for c in path.read_text(encoding="utf-8") if c >= " "}
print("".join(sorted(letters)))
PY
"$work/venv/bin/pyftsubset" deb/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc \
  --text-file=letters.txt --font-number=2 --no-hinting --desubroutinize --layout-features="" --output-file="$here/strip.otf"
ls -l "$here/strip.otf"
