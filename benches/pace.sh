#!/usr/bin/env bash
# How much of a rate limit an apply of 200 changes uses, and how much of it is refused: against the
# sandbox over TLS with a limit, for shares of the limit. Prints a row each; asserts nothing.
# RATES and SHARES choose what is run, TENANTCTL_BIN the program.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet
bin=${TENANTCTL_BIN:-target/debug/tenantctl}
. .ci/sandbox.sh
unset AUTH0_ACCESS_TOKEN

definitions() {
  echo 'resourceServers:'
  for n in $(seq 20); do
    printf '  - { identifier: "https://api%d.example/", name: API %d, scopes: [{ value: "read:orders" }] }\n' "$n" "$n"
  done
  echo 'clients:'
  for n in $(seq 90); do
    printf '  - { name: Worker %d, app_type: non_interactive, grant_types: [client_credentials] }\n' "$n"
  done
  echo 'clientGrants:'
  for n in $(seq 90); do
    printf '  - { client_id: Worker %d, audience: "https://api%d.example/", scope: ["read:orders"] }\n' "$n" $((n % 20 + 1))
  done
}

# Of the seconds between the first and the last with answers: how many answers, and how many were 429.
row() {
  awk -v rate="$1" -v share="$2" '
    /answered/ && !/oauth/ {
      second = substr($1, 1, 19)
      if (second != last) { seconds++; last = second }
      answers[seconds]++
      all++
      if (/status=429/) refused++
    }
    END {
      for (at = 2; at < seconds; at++) inner += answers[at]
      each = inner / (seconds - 2)
      printf "| %d | %s | %d | %.2f | %.1f%% | %d |\n", rate, share, all, each, 100 * each / rate, refused
    }' "$3"
}

printf '| limit per second | share | requests | per second | of the limit | status 429 |\n| --- | --- | --- | --- | --- | --- |\n'
for rate in ${RATES:-16 2}; do
  for share in ${SHARES:-1 0.8}; do
    serve --tls --rate-limit "$rate"
    export AUTH0_CLIENT_ID=$ID AUTH0_CLIENT_SECRET=$SECRET
    definitions >"$work/tenant.yaml"
    printf 'version: 1\ndefinitions: tenant.yaml\nenvironments:\n  sandbox: { tenant: "%s" }\n' "$DOMAIN" >"$work/tenantctl.yaml"
    "$bin" apply -C "$work" --ca-bundle "$CA" --yes --rate-share "$share" -vv >"$work/out" 2>"$work/requests" ||
      { tail -20 "$work/requests" >&2; exit 1; }
    row "$rate" "$share" "$work/requests"
    kill "$sandbox"
    rm -rf "$work"
  done
done
