#!/usr/bin/env bash
# Rewrites generated files: the OpenAPI document, the types of the web interface and the snapshots of tests. `make test` fails when they are stale.
set -euo pipefail
cd "$(dirname "$0")/.."

UPDATE_OPENAPI=1 INSTA_UPDATE=always cargo test -p rport-http --test it openapi
node ui/scripts/gen-api.mjs
git status --short -- '*.json' '*.snap' ui/src/api
