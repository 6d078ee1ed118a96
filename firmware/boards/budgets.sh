#!/usr/bin/env bash
# Builds every board and holds it to its budget; `./ci.sh boards` calls it.
#
#   budgets.sh            builds, lints and measures; says what has changed since the last record
#   budgets.sh --record   and records what was measured, in benches/record/<date>-boards.csv
#
# Budgets are in budgets.csv, in octets: flash is the firmware without settings and image, RAM is all
# statics, and the stack is what memory.x keeps for it. Wants size and nm (Debian: binutils).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

record=../../benches/record
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../../target}

# program BOARD: where its file is, once it is built.
program() {
    local target
    target=$(sed -n 's/^target = "\(.*\)"/\1/p' "$1/.cargo/config.toml")
    echo "$CARGO_TARGET_DIR/$target/release/$1"
}

# measure BOARD: a row of figures in the order of budgets.csv.
measure() {
    local flash ram stack
    # Whether a section lies in flash or in RAM is told by its name, which link.x gives it.
    read -r flash ram < <(size -A "$1" | awk '
        /^\.(vector_table|start_block|text|rodata|data|gnu\.sgstubs) / { flash += $2 }
        /^\.(data|bss|uninit) / { ram += $2 }
        END { print flash, ram }')
    stack=$(nm "$1" | awk '
        $3 == "_stack_start" { start = $1 } $3 == "_stack_end" { end = $1 }
        END { print "0x" start, "0x" end }')
    echo "$(basename "$1"),$flash,$ram,$((${stack% *} - ${stack#* }))"
}

# compare MEASURED LAST: a table of each figure, its budget and its change; fails above a budget.
compare() {
    awk -F, -v last="$2" '
        function row(i) {
            change = was[$1, i] == "" ? "new" : sprintf("%+d", $i - was[$1, i])
            state = $i > budget[$1, i] ? "ABOVE" : "ok"
            failed += state == "ABOVE"
            printf "%-16s %-6s %7d of %7d  %-7s %s\n", $1, name[i], $i, budget[$1, i], change, state
        }
        FNR == 1 { file++; for (i = 2; i <= 4; i++) name[i] = $i; next }
        FILENAME == last { for (i = 2; i <= 4; i++) was[$1, i] = $i; next }
        FILENAME == "budgets.csv" { for (i = 2; i <= 4; i++) budget[$1, i] = $i; next }
        { for (i = 2; i <= 4; i++) row(i) }
        END { exit failed > 0 }
    ' budgets.csv "$2" "$1"
}

boards=$(sed 1d budgets.csv | cut -d, -f1)
measured=$CARGO_TARGET_DIR/boards.csv
head -1 budgets.csv >"$measured.new"
for board in $boards; do
    # In its own folder, whose .cargo/config.toml says what it is built for.
    (
        cd "$board"
        cargo fmt --all --check
        cargo clippy --quiet --locked --release -- -D warnings
        cargo build --quiet --locked --release
    )
    measure "$(program "$board")" >>"$measured.new"
done
mv "$measured.new" "$measured"

last=$(find "$record" -name '*-boards.csv' | sort | tail -1)
compare "$measured" "${last:-/dev/null}" ||
    { echo "budgets.sh: error: a board is above its budget" >&2; exit 1; }
if [[ ${1:-} == --record ]]; then
    cp "$measured" "$record/$(date -u +%F)-boards.csv"
fi
