#!/usr/bin/env bash
# What the tests need of the system, from its own packages: Chromium and a Chinese font for pages, nginx and systemd's
# checker for the operator's files. Nothing is done where all are there.
set -euo pipefail
export PATH="$PATH:/usr/sbin"
missing=()
command -v chromium >/dev/null || missing+=(chromium)
fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fonts-noto-cjk fontconfig)
command -v nginx >/dev/null || missing+=(nginx-light)
command -v systemd-analyze >/dev/null || missing+=(systemd)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "Install what the tests need, under your system's names: ${missing[*]}" >&2
    exit 1
fi
run=()
if [ "$(id -u)" -ne 0 ]; then
    run=(sudo -n)
fi
"${run[@]}" apt-get update -qq
# The packages would start their services; the tests start their own, on ports of their own.
DEBIAN_FRONTEND=noninteractive "${run[@]}" env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
