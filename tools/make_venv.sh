#!/usr/bin/env bash
# Creates the virtual environment, or says plainly what is missing on this machine.
# Usage: make_venv.sh PYTHON FOLDER
set -euo pipefail
python=$1
folder=$2

if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Parley needs Python 3.11 or newer (looked for python3.11 and python3; PYTHON=… names another)." >&2
    exit 1
fi
echo "Creating $folder with $("$python" --version)…"
if ! "$python" -m venv --clear "$folder"; then
    echo "Python could not create a virtual environment. On Debian: apt-get install python3-venv" >&2
    exit 1
fi
