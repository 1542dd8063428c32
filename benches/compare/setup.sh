#!/usr/bin/env bash
# Makes target/compare/venv with the programs that the benchmarks compare with, from PyPI.
#
#   benches/compare/setup.sh     needs python3 with venv, and a network or a mirror for pip
#
# Versions are pinned, so that figures from different days speak of the same thing.
set -euo pipefail
cd "$(dirname "$0")/../.."

VENV=target/compare/venv
command -v python3 >/dev/null || { echo "python3 is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
[ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
"$VENV/bin/pip" install --quiet --disable-pip-version-check \
    'magic-wormhole==0.24.0' 'magic-wormhole-mailbox-server==0.8.0'
"$VENV/bin/python" -c 'import wormhole, wormhole_mailbox_server' && echo "ready: $VENV"
