#!/usr/bin/env bash
# Runs each fuzz target for a short while. SECONDS_EACH=600 scripts/fuzz.sh [target...] for longer runs.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/tools
if ! command -v cargo-fuzz >/dev/null 2>&1 && [ ! -x "$tools/bin/cargo-fuzz" ]; then
  echo "Building cargo-fuzz (a minute, once)"
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --root "$tools" --target-dir "$tools/build" cargo-fuzz
  rm -rf "$tools/build"
fi
export PATH=$tools/bin:$PATH

# libFuzzer's instrumentation is unstable, our pinned compiler is not; this lets it take the flags all the same.
export RUSTC_BOOTSTRAP=1

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's|^path = "fuzz_targets/\(.*\)\.rs"|\1|p' fuzz/Cargo.toml)
# The sanitizer needs a compiler that was built with it; the checks in our code and in Rust itself suffice here.
cargo fuzz build --sanitizer none
for target in "${targets[@]}"; do
  echo "== $target"
  cargo fuzz run --sanitizer none "$target" -- -max_total_time="${SECONDS_EACH:-30}" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 2>&1 | tail -n 12
done
