#!/usr/bin/env bash
# Installs what tools/debian-peers.txt lists and this machine lacks, when the caller may. Never fails: what is
# missing afterwards is named here, and the tests that need it are skipped by name.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() {
    grep -v '^#' tools/debian-peers.txt | while read -r package; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            echo "$package"
        fi
    done
}

if ! command -v apt-get >/dev/null; then
    echo "This is not Debian: tests skip the peers that are not installed (tools/debian-peers.txt)."
    exit
fi
wanted=$(missing)
if [ -z "$wanted" ]; then
    exit
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "Not installed, and only root may: $(echo $wanted). Their tests will be skipped."
    exit
fi
echo "Installing Debian peers: $(echo $wanted)…"
log=$(mktemp)
# shellcheck disable=SC2086 # a list of packages
if ! { "${as_root[@]}" apt-get -q update &&
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $wanted; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "Could not be installed: $(echo $(missing)). Their tests will be skipped." >&2
fi
rm -f "$log"
