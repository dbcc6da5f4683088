# Starts `tenantctl sandbox serve` for the checks: `serve ARGS..` sets URL, DOMAIN, CA, ID, SECRET, and `stop` ends it.
# Source it; the sandbox ends with the script.
serve() {
  work=$(mktemp -d)
  target/debug/tenantctl sandbox serve --port 0 --state none "$@" >"$work/ready.json" 2>"$work/log" &
  sandbox=$!
  trap stop EXIT
  for _ in $(seq 900); do
    [ -s "$work/ready.json" ] && break
    kill -0 "$sandbox" 2>/dev/null || { cat "$work/log"; return 1; }
    sleep 0.1
  done
  member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/ready.json"; }
  URL=$(member url) DOMAIN=$(member domain) CA=$(member ca) ID=$(member client_id) SECRET=$(member client_secret)
}
stop() {
  kill "$sandbox" 2>/dev/null || true
  rm -rf "$work"
}
