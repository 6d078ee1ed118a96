#!/usr/bin/env bash
# `gardefou serve` beside other servers: the same list, the same upstream, the same client, one after
# the other on one core, the client on another.
#
#   benches/serve.sh                         our own lists
#   benches/serve.sh CATEGORY=LIST...        as `gardefou build --list` takes them
#   PEERS="gardefou unbound" benches/serve.sh ...
#
# A million names are in a list of the data beside the repository, or made:
#
#   benches/serve.sh malware=../shared/data/large/malware-history.txt.zst
#   cargo run --release -p benches -- synthetic 1000000 --out names.txt && benches/serve.sh malware=names.txt
#
# Prints a table and adds its rows to benches/record/serve.csv (RECORD=/dev/null for none):
#
# - blocked, cached, forwarded: answers per second of the server's processor time, median of RUNS (3),
#   to listed names, to clean ones in its cache, and to clean ones nobody has asked for. Of its
#   processor time, because others may be at work on the machine. Against `bare` in the same run,
#   which holds no list.
# - p50, p99: microseconds to an answer to a listed name, with 64 questions on their way. What others
#   do on the machine is in these.
# - rss, private: resident kB afterwards, and those no other process could share.
# - first: milliseconds from start to the first listed name that is blocked; leaks: listed names let
#   through from the start until all are blocked.
# - lost, effective, stale, peak: of a reload with a name more while 1000 queries a second come:
#   queries lost, milliseconds to the first answer by the new list, answers by the old list after that,
#   and the peak of resident memory over what it was before.
# - half_lost, half_effective: of another reload, at half of what the server can answer of such a stream.
# - wrong: answers of another kind than expected, or none, in all runs.
#
# A peer that is not installed is left out; serve/ has a file for each. Everything is on loopback, and
# bounded in time: about half a minute for each peer, more for those that take long to load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin

cargo build --quiet --locked --release -p filter-cli -p benches
target=$(realpath "${CARGO_TARGET_DIR:-target}")/release
gardefou=$target/gardefou benches=$target/benches
record=${RECORD:-benches/record/serve.csv}
upstream=127.0.0.1:5391 port=5390
new=(added.by-reload.example added.by-another.example)

work=$(mktemp -d)
pid='' upstream_pid=''
stop() {
    [[ $1 ]] && kill "$1" 2>/dev/null || return 0
    for _ in {1..50}; do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done
    kill -9 "$1" 2>/dev/null || true
}
trap 'stop "$pid"; stop "$upstream_pid"; rm -rf "$work"' EXIT
client() { timeout 200 taskset -c 1 "$benches" dns "$@"; }

# The list before and after each reload, as image, names, and response policy zone.
echo "${new[0]}" >"$work/new"
printf '%s\n' "${new[@]}" >"$work/newer"
list() {
    local path=$work/$1
    shift
    "$gardefou" build --quiet --no-why --shape server --prefilter -o "$path.gfi" "$@" >/dev/null
    "$gardefou" export --quiet --image "$path.gfi" --rules-only --format rpz >"$path.rpz"
    "$gardefou" export --quiet --image "$path.gfi" --rules-only --format domains |
        grep -E '^[a-z0-9]' >"$path.names"
}
lists=()
for list in "$@"; do lists+=(--list "$list"); done
if [[ $# == 0 ]]; then
    # As one list, for what a category or a profile is the others do not know.
    list ours --config blocklists/gardefou.toml
    lists=(--list "malware=$work/ours.names")
fi
list before "${lists[@]}"
list after "${lists[@]}" --list "malware=$work/new"
list later "${lists[@]}" --list "malware=$work/newer"

# Listed names, taken evenly, every second of them with a label in front, and clean ones.
names=$(wc -l <"$work/before.names")
awk -v every=$((names / 10000 + 1)) 'NR % every == 0 { print (n++ % 2 ? "www." : "") $1 }' \
    "$work/before.names" >"$work/blocked"
seq -f 'host-%g.clean.test' 1 2000 >"$work/cached"
echo clean.test >"$work/forwarded"

taskset -c 1 "$benches" dns respond "$upstream" --knows-all &
upstream_pid=$!

# load ROW [ARGUMENT...]: medians of a few runs; counts what was not as expected.
load() {
    local row=$1 runs
    shift
    runs=$(for _ in $(seq "${RUNS:-3}"); do
        client ask --server "127.0.0.1:$port" --names "$work/$row" --pid "$pid" "${in_zone[@]}" "$@"
    done)
    local expected='$5'
    [[ $row == blocked || $peer == bare ]] && expected='$4'
    wrong=$((wrong + $(awk "{ n += \$4 + \$5 + \$6 + \$7 - $expected } END { print n }" <<<"$runs")))
    sort -n <<<"$runs" | awk '{ row[NR] = $1 " " $2 " " $3 } END { print row[int((NR + 1) / 2)] }'
}

# reload LIST NAME PER_SECOND: tells of a reload to a list with this name more.
reload() {
    prepare "$work/$1"
    swap
    client stream --server "127.0.0.1:$port" --names "$work/blocked" --new "$2" --pid "$pid" \
        --per-second "$3" "${in_zone[@]}" -- "${swap[@]}"
}

header=(server blocked cached forwarded p50 p99 rss private first leaks lost effective stale peak
    half_lost half_effective wrong)
row() { printf '%-10s %8s %8s %9s %6s %6s %8s %8s %8s %6s %6s %9s %6s %5s %9s %14s %6s\n' "$@"; }
machine="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores"
commit=$(git rev-parse --short=12 HEAD)$(git diff --quiet HEAD || echo -dirty)
[[ -s $record ]] || (IFS=,; echo "names,${header[*]},date,commit,machine") >>"$record"

measure() {
    local blocked=- cached=- forwarded=- p50=- p99=- rss private first=- leaks=- half
    local reloaded='- - - -' reloaded_at_half='- -'
    home=$work/$peer in_zone=() run=() swap=() zone='' needs='' wrong=0
    mkdir "$home"
    # shellcheck source=/dev/null
    source "benches/serve/$peer.sh"
    for program in "$program" $needs; do
        type -P "$program" >/dev/null || { echo "$peer: $program is not installed" && return; }
    done
    [[ $zone ]] && in_zone=(--zone "$zone")
    prepare "$work/before"
    launch
    # A virtual machine may have to ask for memory nobody has used for a while, at 10 ms for a MB.
    head -c 1G /dev/zero | tail -c 1G >/dev/null
    read -r pid first leaks < <(
        client first --server "127.0.0.1:$port" --names "$work/blocked" "${in_zone[@]}" -- \
            taskset -c 0 "${run[@]}"
    ) || { echo "$peer: does not answer" && return; }
    load blocked >"$work/row" && read -r blocked p50 p99 <"$work/row"
    if [[ $rows == *cached* ]]; then
        # The first run fills the cache.
        RUNS=1 load cached >/dev/null
        load cached >"$work/row" && read -r cached _ <"$work/row"
        load forwarded --fresh >"$work/row" && read -r forwarded _ <"$work/row"
    fi
    rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
    private=$(awk '/^Private/ { n += $2 } END { print n }' "/proc/$pid/smaps_rollup")
    if [[ $rows == *reload* ]]; then
        reloaded=$(reload after "${new[0]}" 1000) || reloaded='- - - -'
        # Nine of ten are blocked, the others cached and forwarded.
        half=$(awk -v b="$blocked" -v c="${cached/-/$blocked}" -v f="${forwarded/-/$blocked}" \
            'BEGIN { printf "%d", 0.5 / (0.9 / b + 0.05 / c + 0.05 / f) }')
        reloaded_at_half=$(reload later "${new[1]}" "$half" | cut -d' ' -f1,2) || reloaded_at_half='- -'
    fi
    # shellcheck disable=SC2206 # Words.
    local cells=("$peer" "$blocked" "$cached" "$forwarded" "$p50" "$p99" "$rss" "$private" "$first" "$leaks"
        $reloaded $reloaded_at_half "$wrong")
    row "${cells[@]}"
    (IFS=,; echo "$names,${cells[*]},$(date -u +%F),$commit,\"$machine\"") >>"$record"
    stop "$pid"
    pid=''
}

echo "$names names, image of $(stat -c %s "$work/before.gfi") octets; $machine; $commit"
row "${header[@]}"
for peer in ${PEERS:-bare gardefou unbound dnsmasq bind powerdns knot dnsdist rbldnsd bare}; do
    rm -rf "${work:?}/$peer"
    measure
done
