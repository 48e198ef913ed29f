#!/usr/bin/env bash
# Holds a running server against its OpenAPI document with schemathesis: no 5xx, no answer the document does not name.
# Takes the debug programs. A seed and a number of examples make one run like the other; set CONTRACT_SEED and
# CONTRACT_EXAMPLES to look for more.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.32.5
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/tools"
venv=$(cd "$target/tools" && pwd)/schemathesis-$version
if [ ! -x "$venv/bin/schemathesis" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

[ -x "$target/debug/rportd" ] && [ -x "$target/debug/rport" ] || cargo build -p rportd -p rport-agent --bins
bin=$(cd "$target/debug" && pwd)
dir=$(mktemp -d)
pids=()
stop() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$dir"
}
trap stop EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
agents=$(free_port)
api=$(free_port)
password=$(head -c 18 /dev/urandom | base64 | tr '+/' 'ab')

printf '{ "agents": "battery-staple" }' > "$dir/clients-auth.json"
cat > "$dir/rportd.conf" <<CONF
[server]
address = "127.0.0.1:$agents"
key_seed = "contract"
allow_root = true
auth_file = "$dir/clients-auth.json"
data_dir = "$dir/data"
used_ports = ["41000-41100"]
[logging]
log_file = "$dir/rportd.log"
log_level = "info"
[database]
db_type = "sqlite"
db_name = "$dir/auth.db"
[api]
address = "127.0.0.1:$api"
auth_user_table = "users"
auth_group_table = "groups"
auth_group_details_table = "group_details"
jwt_secret = "contract"
# The run sends wrong credentials on purpose.
max_failed_login = 0
user_login_wait = 0
CONF
cat > "$dir/rport.conf" <<CONF
[client]
server = "127.0.0.1:$agents"
auth = "agents:battery-staple"
id = "agent-1"
name = "agent-1"
data_dir = "$dir/agent"
attributes_file_path = "$dir/attributes.json"
allow_root = true
[logging]
log_file = "$dir/rport.log"
CONF
printf '{ "tags": ["linux"], "labels": { "city": "Ulm" } }' > "$dir/attributes.json"

"$bin/rportd" db create -c "$dir/rportd.conf" > /dev/null
"$bin/rportd" user add -c "$dir/rportd.conf" -u contract -g Administrators <<< "$password" > /dev/null
"$bin/rportd" -c "$dir/rportd.conf" & pids+=($!)
"$bin/rport" -c "$dir/rport.conf" & pids+=($!)

url=http://127.0.0.1:$api/api/v1
for _ in $(seq 200); do
  state=$(curl -s -u "contract:$password" "$url/clients/agent-1" || true)
  case $state in *'"connection_state":"connected"'*) break ;; esac
  sleep 0.1
done
case $state in
  *'"connection_state":"connected"'*) ;;
  *) echo "the agent did not connect: $state"; cat "$dir/rportd.log" "$dir/rport.log"; exit 1 ;;
esac
# Something to find for those operations that take an id.
curl -sf -u "contract:$password" -X POST "$url/client-groups" -d '{"id":"group-1","params":{"name":["agent-*"]}}'
curl -sf -u "contract:$password" -X POST "$url/users" -o /dev/null \
  -d "{\"username\":\"other\",\"password\":\"$password-2\",\"groups\":[\"ops\"]}"

cp scripts/schemathesis.toml "$dir/schemathesis.toml"
# ask OPTION...: what is looked at is named here; what is left out are guesses about data that a server must
# refuse, and the original's answer to wrong methods, which is 404.
status=0
ask() {
  # From its own folder, because it keeps what it found in the present one and tries that again.
  cd "$dir"
  timeout 400 "$venv/bin/schemathesis" --config-file schemathesis.toml run "$url/openapi.json" "$@" \
    --auth "contract:$password" --seed "${CONTRACT_SEED:-1}" --max-examples "${CONTRACT_EXAMPLES:-20}" --continue-on-failure --no-shrink \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth,use_after_free \
    >> "$dir/out" 2>&1 || status=$?
}
cp scripts/schemathesis.toml "$dir/"
# Those that change who asks come last: after them he may have another name.
own=(change_me change_user delete_user)
ask "${own[@]/#/--exclude-operation-id=}"
ask "${own[@]/#/--include-operation-id=}"
if [ "$status" -ne 0 ]; then
  cat "$dir/out"
  grep -iE 'panic|error' "$dir/rportd.log" | head -50
fi
grep -E 'generated|^=+ .* in ' "$dir/out"
if ! kill -0 "${pids[0]}"; then
  echo "the server did not survive"
  exit 1
fi
exit "$status"
