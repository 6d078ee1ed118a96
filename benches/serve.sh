#!/usr/bin/env bash
# `gardefou serve` beside dnsmasq and Unbound: the same list, the same upstream, the same client, one
# after the other on one core, the client on another.
#
#   benches/serve.sh                         our own lists
#   benches/serve.sh CATEGORY=LIST...        as `gardefou build --list` takes them
#
# Prints a row for each server: answers per second of its processor time to blocked names and to names
# in its cache, each the median of five runs, the part of the queries that was lost, resident memory
# afterwards, and the time from start to first correct answer, which is asked for with `dig` and so
# some milliseconds too long. Processor time, because others may be at work on the machine.
#
# Wants dnsperf, dig, dnsmasq and unbound (Debian: dnsperf bind9-dnsutils dnsmasq-base unbound), and two
# cores. Everything is on loopback; SECONDS_EACH (2) and RUNS (5) bound the time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:/usr/sbin

cargo build --quiet --locked --release -p filter-cli
gardefou=${CARGO_TARGET_DIR:-target}/release/gardefou
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

lists=()
for list in "$@"; do lists+=(--list "$list"); done
"$gardefou" build --quiet --no-why --shape server --prefilter -o "$work/x.gfi" "${lists[@]}" >/dev/null
for format in dnsmasq unbound; do
    "$gardefou" export --quiet --image "$work/x.gfi" --rules-only --format "$format" >"$work/$format.list"
done

# Blocked names are listed ones, taken evenly; names to be cached are below one the upstream knows.
"$gardefou" export --quiet --image "$work/x.gfi" --rules-only --format domains >"$work/names"
names=$(wc -l <"$work/names")
awk -v every=$((names / 5000 + 1)) 'NR % every == 0 && /^[a-z0-9]/ { print $1, "A" }' "$work/names" \
    >"$work/blocked"
seq -f 'host-%g.clean.test A' 1 2000 >"$work/cached"
first=$(awk 'NR == 1 { print $1 }' "$work/blocked")

unbound_conf() {
    cat <<END
server:
 interface: 127.0.0.1@$1
 do-daemonize: no
 username: ""
 chroot: ""
 directory: "$work"
 pidfile: ""
 use-syslog: no
 verbosity: 0
 do-not-query-localhost: no
 module-config: "iterator"
END
    cat
    printf 'remote-control:\n control-enable: no\n'
}

# start COMMAND...: runs a server on the first core.
start() {
    taskset -c 0 "$@" >/dev/null 2>&1 &
    pids+=($!)
    pid=$!
}

# until_blocked PORT: waits for the first correct answer, and prints how long that took.
until_blocked() {
    local began=${EPOCHREALTIME/./}
    for _ in {1..3000}; do
        if dig @127.0.0.1 -p "$1" +time=1 +tries=1 "$first" A | grep -qE 'NXDOMAIN|0\.0\.0\.0|EDE: 15'; then
            echo $(((${EPOCHREALTIME/./} - began) / 1000))
            return
        fi
    done
    echo "no answer on port $1" >&2
    return 1
}

# per_second PORT FILE: the median, and the part that was lost.
per_second() {
    local before lost completed after
    for _ in $(seq "${RUNS:-5}"); do
        before=$(ticks)
        read -r completed lost < <(
            taskset -c 1 dnsperf -s 127.0.0.1 -p "$1" -d "$2" -l "${SECONDS_EACH:-2}" -c 8 -q 256 2>/dev/null |
                awk '/Queries completed:/ { completed = $3 } /Queries lost:/ { lost = $4 }
                    END { print completed, lost }' | tr -d '()'
        )
        after=$(ticks)
        echo $((completed * $(getconf CLK_TCK) / (after - before))) "$lost"
    done | sort -n | awk '{ row[NR] = $0 } END { print row[int((NR + 1) / 2)] }'
}

# Processor time of the server so far, its own and the system's for it.
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }

row() { printf '%-10s %10s %10s %8s %10s %10s\n' "$@"; }

# measure NAME PORT COMMAND...
measure() {
    local name=$1 port=$2 first_ms blocked cached kilobytes
    shift 2
    start "$@"
    first_ms=$(until_blocked "$port")
    # The first run fills the cache.
    taskset -c 1 dnsperf -s 127.0.0.1 -p "$port" -d "$work/cached" -n 2 -q 50 >/dev/null 2>&1
    read -r blocked lost_blocked < <(per_second "$port" "$work/blocked")
    read -r cached lost_cached < <(per_second "$port" "$work/cached")
    kilobytes=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
    row "$name" "$blocked" "$cached" "$lost_blocked/$lost_cached" "$kilobytes" "$first_ms"
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}

unbound_conf 5391 >"$work/upstream.conf" <<'END'
 num-threads: 1
 local-zone: "clean.test." redirect
 local-data: "clean.test. 3600 IN A 192.0.2.1"
END
start unbound -d -c "$work/upstream.conf"

unbound_conf 5393 >"$work/unbound.conf" <<END
 include: "$work/unbound.list"
forward-zone:
 name: "."
 forward-addr: 127.0.0.1@5391
END

echo "$names names, image of $(stat -c %s "$work/x.gfi") octets; $(uname -m), $(nproc) cores"
row server blocked/s cached/s lost kB first/ms
measure gardefou 5392 "$gardefou" serve --image "$work/x.gfi" --listen 127.0.0.1:5392 \
    --upstream 127.0.0.1:5391 --queries-per-second 0 --names-per-second 0
measure unbound 5393 unbound -d -c "$work/unbound.conf"
measure dnsmasq 5394 dnsmasq --keep-in-foreground --conf-file="$work/dnsmasq.list" --no-resolv --no-hosts \
    --port=5394 --listen-address=127.0.0.1 --bind-interfaces --user= --pid-file= --cache-size=10000 \
    --dns-forward-max=1000 --server=127.0.0.1#5391
