#!/usr/bin/env bash
# tests/record.sh RUN RESULT: writes a long run's result into its line of tests/README.md, with the date.
set -euo pipefail
readme="$(dirname "$0")/README.md"
run="$1" result="$2, $(date -u +%F)" awk -F' [|] ' '
    $1 == "| " ENVIRON["run"] { $0 = $1 " | " $2 " | " ENVIRON["result"] " |"; found = 1 }
    { print }
    END { if (!found) exit 1 }
' "$readme" >"$readme.new" || { rm -f "$readme.new"; echo "tests/README.md has no line for $1" >&2; exit 1; }
mv "$readme.new" "$readme"
