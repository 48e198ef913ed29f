#!/usr/bin/env bash
# Measures our programs beside plain loopback and rathole. Arguments go to rport-bench (see --help).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --workspace --bins

# The comparison is worth having, not worth failing for.
if ! command -v rathole >/dev/null 2>&1 && [ ! -x target/tools/bin/rathole ]; then
  echo "Building rathole for comparison (once)" >&2
  # Its own lock file holds a crate that today's compiler refuses.
  cargo install --quiet --root target/tools --target-dir target/tools/build \
    --no-default-features --features server,client rathole@0.5.0 >&2 ||
    echo "rathole could not be built; going on without it" >&2
  rm -rf target/tools/build
fi

exec "${CARGO_TARGET_DIR:-target}/release/rport-bench" "$@"
