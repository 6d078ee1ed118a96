#!/usr/bin/env bash
# The one entry point for developers and CI: ./ci.sh STEP...   (without a step: all)
#
#   fmt         is everything formatted?
#   lint        clippy; a warning is an error
#   doc         the API documentation; a warning is an error
#   test        every test: the workspace, with the emulated board where QEMU is, then nostd,
#               no-panic, replay, mutate of 100,000 images and fuzz-smoke
#   nostd       filter-core on four bare-metal targets, alone and as a gateway, without a heap
#   no-panic    the query path cannot panic, by a link that would fail; and it does fail
#   replay      the bodies of the fuzz targets over past findings, on the stable toolchain
#   mutate      MUTATED_IMAGES (1,000,000) damaged images with fitting checksums: opened and asked
#   fuzz-smoke  each fuzz target for FUZZ_SECONDS (20); wants nightly and cargo-fuzz. An hour for
#               each of the four: FUZZ_SECONDS=3600 ./ci.sh fuzz-smoke
#   soak        `gardefou serve` for SOAK_SECONDS (3600) while links lose packets and go down, upstreams
#               fail and nonsense comes in. Wants nftables and network namespaces: root, or
#               unshare --map-root-user ./ci.sh soak
#   static      `gardefou` for routers: one file for any Linux on x86_64, aarch64 and armv7, in
#               target/static; what another processor is for runs where qemu-user is. Wants python3,
#               for the C compiler and linker (Zig's), which it installs itself
#   boards      the firmware of every board, held to firmware/boards/budgets.csv
#   deny        licenses, sources and advisories of dependencies; wants cargo-deny
#   all         fmt lint doc test deny
#
# Wants rustup and a C compiler; the pinned toolchain and its targets it installs itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# filter-core builds for these; firmware/proof proves itself on the third.
targets=(thumbv6m-none-eabi thumbv7m-none-eabi thumbv7em-none-eabi thumbv8m.main-none-eabi)
proof_target=thumbv7em-none-eabi
boards=(mps2-an386)
router_targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf)
fuzz_targets=(image dns_name list_line config)
target_dir=${CARGO_TARGET_DIR:-target}
[[ $target_dir == /* ]] || target_dir=$PWD/$target_dir
tools=$target_dir/tools

export CARGO_TARGET_DIR=$target_dir CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
export PATH=$tools/bin:$PATH

# -- Steps -------------------------------------------------------------------------------------

fmt() {
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo fmt --manifest-path benches/device/Cargo.toml -p device -p reads --check
    for board in "${boards[@]}"; do
        cargo fmt --manifest-path "firmware/boards/$board/Cargo.toml" -p "$board" --check
    done
}

lint() {
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
    cargo clippy --locked -p filter-core --target "$proof_target" -- -D warnings
    (cd firmware/proof && cargo clippy --locked --target "$proof_target" -- -D warnings)
    cargo clippy --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings
    # The processor and what is logged are in its .cargo/config.toml, which cargo reads in its folder.
    for board in "${boards[@]}"; do
        (cd "firmware/boards/$board" && cargo clippy --locked --release -- -D warnings)
    done
}

doc() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features
}

test() {
    local log=$target_dir/test.log
    mkdir -p "$target_dir"
    {
        cargo test --locked --workspace
        # Alone, filter-core has no features: what a device links is tested as such.
        cargo test --locked -p filter-core
        cargo test --locked -p filter-core --features build,structured-errors
        step nostd
        step no-panic
        step replay
        MUTATED_IMAGES=${MUTATED_IMAGES:-100000} step mutate
        step fuzz-smoke
    } 2>&1 | tee "$log"
    awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
        END { print passed " passed, " failed " failed, " skipped " skipped" }' "$log"
}

nostd() {
    for target in "${targets[@]}"; do
        cargo build --locked --release -p filter-core --target "$target"
        # A crate behind `domain` wants compare-and-swap, which the smallest one has not.
        [[ $target == thumbv6m* ]] ||
            cargo build --locked --release -p filter-core --features gateway --target "$target"
    done
}

no-panic() {
    link_proof
    if command -v size >/dev/null; then
        size "$target_dir/$proof_target/firmware/proof"
    fi
    # The control: with a panic planted, the same link must fail, and for that reason.
    local log=$target_dir/no-panic.log
    if link_proof --features with-panic 2>"$log"; then
        die "the proof links although a panic was planted: it proves nothing"
    fi
    grep -q "undefined symbol: gardefou_query_path_can_panic" "$log" ||
        { cat "$log" >&2; die "the control failed for another reason than the planted panic"; }
    echo "no panic on the query path; a planted one is found"
}

# The profile is in firmware/proof/.cargo/config.toml, which cargo reads in that folder.
link_proof() {
    (cd firmware/proof && cargo build --locked --profile firmware --target "$proof_target" "$@")
}

replay() {
    cargo test --manifest-path fuzz/Cargo.toml
}

mutate() {
    cargo run --quiet --release --manifest-path fuzz/Cargo.toml --example mutate -- \
        "${MUTATED_IMAGES:-1000000}"
}

fuzz-smoke() {
    rustup toolchain list | grep -q '^nightly' ||
        { skip "fuzz-smoke" "rustup toolchain install nightly"; return; }
    cargo fuzz --version >/dev/null 2>&1 || [[ ${CI:-} != true ]] ||
        cargo install cargo-fuzz --locked --root "$tools"
    cargo fuzz --version >/dev/null 2>&1 ||
        { skip "fuzz-smoke" "cargo install cargo-fuzz --locked"; return; }
    # Without a sanitizer: our code has no unsafe, and everything is built twice as fast.
    cargo +nightly fuzz build --fuzz-dir fuzz --sanitizer none
    local target log
    for target in "${fuzz_targets[@]}"; do
        log=$target_dir/fuzz-$target.log
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run --fuzz-dir fuzz --sanitizer none "$target" \
            "fuzz/corpus/$target" "fuzz/regressions/$target" -- \
            -max_total_time="${FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 \
            -print_final_stats=1 >"$log" 2>&1 ||
            { tail -40 "$log" >&2; die "fuzz target $target found something"; }
        echo "$target: $(awk '/number_of_executed_units/ { print $2 }' "$log") runs, no finding"
    done
}

soak() {
    SOAK_SECONDS=${SOAK_SECONDS:-3600} cargo test --locked -p filter-cli --test soak -- --nocapture
}

static() {
    install_zig
    local target built program build from_source tried
    mkdir -p "$target_dir/static"
    for target in "${router_targets[@]}"; do
        build=(cargo)
        from_source=()
        # Not every mirror has the standard library for every target; nightly can build it.
        if ! rustup --quiet target add "$target" 2>/dev/null; then
            rustup --quiet component add rust-src --toolchain nightly
            build=(cargo +nightly)
            from_source=(-Z build-std=std,panic_unwind --config
                "target.$target.rustflags=[\"-Clink-self-contained=no\"]")
        fi
        "${build[@]}" zigbuild --locked "${from_source[@]}" --profile router -p filter-cli \
            --target "$target"
        built=$target_dir/$target/router/gardefou
        program=$target_dir/static/gardefou-${target%%-*}
        cp "$built" "$program"
        tried=$(try_router "$target" "$program")
        echo "$program: $(stat -c %s "$program") octets, $tried"
    done
}

# try_router TARGET PROGRAM: builds a list and asks it, with the processor's own emulator if need be.
try_router() {
    local run=() work verdict
    case $1 in
    "$(uname -m)"-*) ;;
    armv7-*) run=(qemu-arm) ;;
    *) run=(qemu-"${1%%-*}") ;;
    esac
    [[ ${#run[@]} == 0 ]] || command -v "${run[0]}" >/dev/null ||
        { echo "not tried: needs ${run[0]} (Debian: qemu-user)"; return; }
    work=$(mktemp -d)
    echo bet.example >"$work/list"
    "${run[@]}" "$2" build --quiet --no-why --list gambling="$work/list" -o "$work/x.gfi" >/dev/null
    # What is blocked is no success.
    verdict=$("${run[@]}" "$2" check --image "$work/x.gfi" www.bet.example || true)
    [[ $verdict == block* ]] || die "$2 does not block what is listed: $verdict"
    rm -r "$work"
    echo "and works"
}

# Zig's C compiler has the C library of every target with it.
install_zig() {
    export PATH=$tools/zig/bin:$PATH
    [[ -x $tools/zig/bin/python-zig ]] ||
        { python3 -m venv "$tools/zig" && "$tools/zig/bin/pip" install --quiet ziglang; } ||
        die "cannot install Zig: wants python3 with venv (Debian: python3-venv)"
    cargo zigbuild --help >/dev/null 2>&1 ||
        cargo install --quiet cargo-zigbuild --locked --root "$tools"
}

boards() {
    cargo test --quiet --locked --manifest-path firmware/boards/uf2/Cargo.toml
    firmware/boards/budgets.sh
}

deny() {
    cargo deny --version >/dev/null 2>&1 ||
        { skip "deny" "cargo install cargo-deny --locked"; return; }
    cargo deny check
}

all() {
    for name in fmt lint doc test deny; do
        step "$name"
    done
}

# -- Running them ------------------------------------------------------------------------------

die() {
    echo "ci.sh: error: $*" >&2
    exit 1
}

# skip STEP HINT: says that an optional step was not run, and how to have it run.
skip() {
    echo "ci.sh: $1 skipped; to run it: $2"
}

step() {
    echo "== $1"
    local start=$SECONDS
    "$1"
    echo "== $1: $((SECONDS - start)) s"
}

prepare() {
    command -v cc >/dev/null || die "no C compiler: install one (Debian: apt-get install gcc)"
    command -v rustup >/dev/null || die "no rustup: see https://rustup.rs"
    # Reads rust-toolchain.toml; returns at once when everything is there.
    rustup --quiet toolchain install >/dev/null ||
        die "cannot install the toolchain of rust-toolchain.toml (wants rustup 1.28 or newer)"
}

prepare
for name in "${@:-all}"; do
    case $name in
    fmt | lint | doc | test | nostd | no-panic | replay | mutate) step "$name" ;;
    fuzz-smoke | soak | static | boards | deny | all) step "$name" ;;
    *) die "unknown step \`$name\`: see the top of ci.sh" ;;
    esac
done
