#!/bin/sh
# Runs the compiler so that programs do not hold the folders of who built them: panics name their
# places, in flash. Cargo calls it, by `rustc-wrapper` in the .cargo/config.toml of each board.
[ -z "$CARGO_MANIFEST_DIR" ] || set -- "$@" --remap-path-prefix "${CARGO_MANIFEST_DIR%/*}/="
exec "$@"
