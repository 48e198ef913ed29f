#!/usr/bin/env bash
# Installs the system packages that a target needs and that are missing. Quick when nothing is.
# Usage: scripts/setup.sh build [ui] [test] [demo] [bench] [fuzz]
set -euo pipefail

missing=()

# need COMMAND PACKAGE: remembers the package when the command is not there.
need() {
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2")
}

for what in "$@"; do
  case $what in
    build) need cc gcc; need make make; need pkg-config pkg-config ;;
    ui) need npm npm
      if command -v node >/dev/null 2>&1 && [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
        echo "The web interface needs Node 20 or newer; here is $(node --version)." >&2
        exit 1
      fi ;;
    test) need chromium chromium; need shellcheck shellcheck; need ip iproute2; need iptables iptables; need curl curl; need setpriv util-linux
      python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
      need mariadbd mariadb-server; [ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || need initdb postgresql ;;
    demo) need curl curl; need ss iproute2; need setpriv util-linux ;;
    bench) need ss iproute2 ;;
    fuzz) need c++ g++ ;;
    *) echo "setup.sh: unknown part '$what'; known: build ui test demo bench fuzz" >&2; exit 2 ;;
  esac
done

if ! command -v cargo >/dev/null 2>&1; then
  echo "Rust is missing: install it with rustup (rust-toolchain.toml names the version), then run this again." >&2
  exit 1
fi

[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1; then
    as_root=(sudo)
  else
    echo "Missing packages: ${missing[*]}. Install them as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing programs, and no apt-get here to install them: ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
