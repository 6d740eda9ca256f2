# What is done often. `just` alone lists it.

rules := "rules/rules.yaml"

_default:
    @just --list

# All that CI checks
ci:
    bash .ci/run

# The quick checks before a commit
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo run --locked --quiet -- check {{rules}} examples/*.yaml
    cargo run --locked --quiet -- test {{rules}} examples/*.yaml

# All tests
test *ARGUMENTS:
    cargo test --locked {{ARGUMENTS}}

# See failover at work, without a key
demo:
    cargo run --release --locked -- demo

# Run the router with the rules of this folder
run *ARGUMENTS:
    cargo run --release --locked -- run {{ARGUMENTS}}

# Measure; the numbers belong into benches/RESULTS.md
bench *ARGUMENTS:
    cargo bench --locked {{ARGUMENTS}}

# `cargo test fuzz::` tries the corpus and what chance makes of it; this sees which code is reached. On stable Rust.
# Look for inputs that break a promise, until stopped: json, sse, path, yaml, rules, state or exchange (libFuzzer; needs g++)
fuzz TARGET *ARGUMENTS:
    command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
    mkdir -p target/fuzz/{{TARGET}}
    cargo fuzz run --sanitizer none {{TARGET}} target/fuzz/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_len=8192 -timeout=10 {{ARGUMENTS}}

# Mixed traffic with every kind of trouble for so long (`10m`, `8h`); fails when a promise is broken
soak TIME="10m":
    cargo build --release --locked
    RULEGATE_PROGRAM="$PWD/target/release/rulegate" RULEGATE_SOAK={{TIME}} cargo test --locked --test integration soak::mixed_traffic -- --ignored --nocapture

# The figures of docs/reliability.md: reloads under streams, kill -9, shaky providers (RULEGATE_RELOADS, _KILLS, _REQUESTS)
figures *FILTER:
    cargo build --release --locked
    RULEGATE_PROGRAM="$PWD/target/release/rulegate" cargo test --locked --test integration -- soak:: --skip mixed_traffic --ignored --nocapture --test-threads 1 {{FILTER}}

# Licences, advisories and sources of the dependencies (installs cargo-deny; asks the advisory database)
deny:
    command -v cargo-deny >/dev/null || cargo install --locked --debug cargo-deny
    cargo deny check

# A release in target/dist: the program, what it is made of (an SBOM in CycloneDX), and the checksums of both
release:
    cargo build --release --locked
    command -v cargo-cyclonedx >/dev/null || cargo install --locked --debug cargo-cyclonedx
    mkdir -p target/dist
    cargo cyclonedx --format json --spec-version 1.5 --no-build-deps --override-filename rulegate-sbom
    sed "s|file://$PWD|file://.|g" rulegate-sbom.json > target/dist/rulegate.cdx.json
    rm rulegate-sbom.json
    cp target/release/rulegate target/dist/
    cd target/dist && sha256sum rulegate rulegate.cdx.json > SHA256SUMS

# Format everything
format:
    cargo fmt

# The official SDKs against the router (installs them under target/clients)
clients:
    cargo build --locked
    python3 -m venv target/clients/python
    target/clients/python/bin/pip install --quiet anthropic openai
    npm install --silent --prefix target/clients @anthropic-ai/sdk
    cp tests/clients/sdk.mjs target/clients/sdk.mjs
    target/clients/python/bin/python tests/clients/run.py target/clients/sdk.mjs
    target/clients/python/bin/python tests/clients/second_door.py
    target/clients/python/bin/python tests/clients/continue.py

# A real browser against the router, after `just clients` (needs Chromium)
browser:
    target/clients/python/bin/python tests/clients/browser.py
