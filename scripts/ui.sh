#!/usr/bin/env bash
# Works on the web interface: build | check | e2e | screenshots. Packages are installed only when the lock has changed.
set -euo pipefail
cd "$(dirname "$0")/../ui"

# The lock that node_modules was made from is kept inside, so that a changed one is noticed.
mark=node_modules/.installed-lock
install() {
  cmp -s package-lock.json "$mark" && return
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$mark"
}

# The build is repeated only when something it is made from is newer.
build() {
  local stamp=dist/.built
  if [ -f "$stamp" ] && [ -z "$(find src public scripts index.html package-lock.json vite.config.ts -newer "$stamp" -print -quit)" ]; then
    return
  fi
  npm run --silent build -- --logLevel warn
  touch "$stamp"
}

programs() {
  [ -n "${RPORT_BIN_DIR:-}" ] && return
  (cd .. && cargo build -p rportd -p rport-agent)
}

case ${1:-} in
  build) install; build ;;
  check)
    install
    node scripts/gen-api.mjs --check
    npx --no-install biome check --error-on-warnings .
    npx --no-install tsc --noEmit
    npx --no-install vitest run
    ;;
  e2e) install; build; programs; node --test --test-reporter=spec e2e/*.test.mjs ;;
  screenshots) install; build; programs; node e2e/screens.mjs ;;
  *) echo "usage: scripts/ui.sh build|check|e2e|screenshots" >&2; exit 2 ;;
esac
