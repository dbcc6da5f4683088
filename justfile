# All that CI does.
check:
    bash .ci/run

# The tests, as in the README.
test:
    cargo test

# Accepts the goldens that the tests print now; look at the diff before you commit it.
bless:
    BLESS=1 cargo test --test all -- transcripts docs

# Requests, time, CPU and memory of plan, apply and export against the sandbox, beside the least that is possible and
# the Deploy CLI. Takes a quarter of an hour; needs python3 and npm.
bench:
    cargo build --profile bench
    [ -x target/peer/node_modules/.bin/a0deploy ] || npm install --silent --no-fund --no-audit --prefix target/peer auth0-deploy-cli@8.44.0
    python3 benches/tenants.py --peer target/peer
    bash benches/pace.sh
    cargo bench

# Formats and lints.
fmt:
    cargo fmt
    cargo clippy --all-targets -- -D warnings
