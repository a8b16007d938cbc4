#!/bin/sh
# Rebuilds the golden patches by the decoder in Python; 77, for "skipped", where there is none.
set -eu
folder=$(dirname "$0")
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2> /dev/null; then
    echo "SKIPPED: there is no python3, 3.6 or later"
    exit 77
fi
exec python3 "$folder/decode.py" --golden "$folder/good"
