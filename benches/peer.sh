#!/usr/bin/env bash
# The same job by the Deploy CLI and by tenantctl, against the same sandbox over TLS, where every
# answer takes 50 ms: an unchanged tenant with 200 applications, 50 APIs and 300 grants. Prints the
# median of RUNS runs (one by default) and the ratio; asserts nothing. Needs npm.
set -eu
cd "$(dirname "$0")/.."
version=8.44.0
runs=${RUNS:-1}
peer=${TENANTCTL_PEER:-target/peer}
[ -x "$peer/node_modules/.bin/a0deploy" ] || npm install --silent --no-fund --no-audit --prefix "$peer" "auth0-deploy-cli@$version"
cargo build --quiet
if [ -z "${TENANTCTL_BIN:-}" ]; then
  cargo build --quiet --release
  TENANTCTL_BIN=target/release/tenantctl
fi
. .ci/sandbox.sh
serve --tls --latency 50
export AUTH0_DOMAIN=$DOMAIN AUTH0_CLIENT_ID=$ID AUTH0_CLIENT_SECRET=$SECRET NODE_EXTRA_CA_CERTS=$CA
export AUTH0_INCLUDED_ONLY='["resourceServers","clients","clientGrants"]'
unset AUTH0_ACCESS_TOKEN AUTH0_AUDIENCE

definitions() {
  echo 'resourceServers:'
  for n in $(seq 0 48); do
    printf '  - { identifier: "https://api%d.example/", name: API %d, scopes: [{ value: "read:orders" }, { value: "write:orders" }] }\n' "$n" "$n"
  done
  echo 'clients:'
  for n in $(seq 0 198); do
    printf '  - { name: Worker %d, app_type: non_interactive, grant_types: [client_credentials] }\n' "$n"
  done
  echo 'clientGrants:'
  for n in $(seq 0 298); do
    printf '  - { client_id: Worker %d, audience: "https://api%d.example/", scope: ["read:orders"] }\n' \
      $((n % 199)) $(((n + n / 199) % 49))
  done
}
definitions >"$work/tenant.yaml"
cat >"$work/tenantctl.yaml" <<Y
version: 1
definitions: tenant.yaml
environments:
  sandbox: { tenant: "$DOMAIN" }
Y

ours() { local verb=$1; shift; "$TENANTCTL_BIN" "$verb" -C "$work" -e sandbox --ca-bundle "$CA" "$@"; }
theirs() { "$peer/node_modules/.bin/a0deploy" "$@"; }

# The median of the runs, in milliseconds.
median() {
  for _ in $(seq "$runs"); do
    local start end
    start=$(date +%s%N)
    "$@" >>"$work/log" 2>&1 || { tail -20 "$work/log" >&2; return 1; }
    end=$(date +%s%N)
    echo $(((end - start) / 1000000))
  done | sort -n | sed -n "$((runs / 2 + 1))p"
}

row() {
  local name=$1 them=$2 us=$3
  printf '| %s | %d | %d | %s |\n' "$name" "$them" "$us" "$(awk "BEGIN { printf \"%.1f\", $them / $us }")"
}

ours apply --yes >>"$work/log"
printf '| job, nothing changed | Deploy CLI, ms | tenantctl, ms | ratio |\n| --- | --- | --- | --- |\n'
us=$(median ours plan)
row 'preview' "$(median theirs import --dry-run -i "$work/tenant.yaml")" "$us"
us=$(median ours apply --yes)
row 'apply' "$(median theirs import -i "$work/tenant.yaml")" "$us"
us=$(median ours export --out "$work/ours")
row 'export' "$(median theirs export -f yaml -o "$work/theirs")" "$us"
