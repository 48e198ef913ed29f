#!/usr/bin/env bash
# Rewrites generated files: the OpenAPI document and the snapshots of tests. `make test` fails when they are stale.
set -euo pipefail
cd "$(dirname "$0")/.."

UPDATE_OPENAPI=1 INSTA_UPDATE=always cargo test -p rport-http --test it openapi
git status --short -- '*.json' '*.snap'
