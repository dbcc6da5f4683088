# All that CI does.
check:
    bash .ci/run

# The tests, as in the README.
test:
    cargo test

# Accepts the goldens that the tests print now; look at the diff before you commit it.
bless:
    BLESS=1 cargo test --test all -- transcripts docs

# Requests and time of plan, apply and export against the sandbox.
bench:
    cargo bench

# Formats and lints.
fmt:
    cargo fmt
    cargo clippy --all-targets -- -D warnings
