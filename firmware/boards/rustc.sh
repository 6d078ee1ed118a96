#!/bin/sh
# Runs a compiler whose programs say of a crate where it is without the folders of whoever builds:
# panics name their places, in flash. Cargo calls it, by `rustc-wrapper` in the boards' .cargo/config.toml.
[ -z "$CARGO_MANIFEST_DIR" ] || set -- "$@" --remap-path-prefix "${CARGO_MANIFEST_DIR%/*}/="
exec "$@"
