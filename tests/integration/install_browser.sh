#!/usr/bin/env bash
# Chromium and a Chinese font for the tests of pages, from the system's own packages. Nothing is done where both are there.
set -euo pipefail
if command -v chromium >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q .; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "Install Chromium (as \`chromium\`) and a Chinese font, for example Noto Sans CJK: the tests of pages need them." >&2
    exit 1
fi
run=()
if [ "$(id -u)" -ne 0 ]; then
    run=(sudo -n)
fi
"${run[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig >/dev/null
