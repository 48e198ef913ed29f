#!/usr/bin/env bash
# Checks licences, sources and banned crates with cargo-deny, which it builds once into target/tools when missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.18
tools=$PWD/target/tools

if command -v cargo-deny >/dev/null 2>&1; then
  deny=cargo-deny
else
  deny=$tools/bin/cargo-deny
  if [ ! -x "$deny" ]; then
    echo "Building cargo-deny (two minutes, once)"
    # Unoptimized: it runs for a second, so a quick build matters more.
    CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS="" \
      cargo install --quiet --debug --locked --root "$tools" "cargo-deny@^$version"
    rm -rf "$tools/build"
  fi
fi
# Advisories need a database from outside, so they are checked by whoever releases: `cargo deny check advisories`.
"$deny" --log-level error check --hide-inclusion-graph licenses bans sources
