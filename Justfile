# `just` lists the recipes.

default:
    @just --list

# The whole test suite, as CI runs it.
test:
    cargo test

# Formatting and lints, warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# What the dependency tree may contain; see deny.toml.
deny:
    cargo deny check bans licenses sources

# Rewrite everything that is generated and committed.
generate:
    UPDATE_GENERATED=1 cargo test -q -p convergio-contract
    UPDATE_GENERATED=1 cargo test -q -p convergio-review
    UPDATE_GENERATED=1 cargo test -q -p convergiod
    UPDATE_GENERATED=1 cargo test -q -p convergio-tests
    python3 scripts/session_svg.py

# All benches: ratios to a floor or a peer, in one run.
bench:
    cargo bench -p convergio-benches

# A bench by name, for instance `just bench-one rpc_roundtrip`.
bench-one name:
    cargo bench -p convergio-benches --bench {{name}}

# The benches with detect-secrets, Semgrep and llm beside ours (from PyPI, into target/peers).
bench-peers:
    python3 -m venv target/peers
    target/peers/bin/pip install --quiet detect-secrets semgrep llm
    CONVERGIO_PEERS={{justfile_directory()}}/target/peers/bin cargo bench -p convergio-benches --bench review_rules --bench first_token_overhead

# The gateway beside LiteLLM's proxy (PyPI) and Portkey's gateway (npm), installed into target/peers.
bench-gateway:
    python3 -m venv target/peers/litellm
    target/peers/litellm/bin/pip install --quiet "litellm[proxy]"
    npm install --silent --prefix target/peers/portkey @portkey-ai/gateway
    CONVERGIO_GATEWAY_PEERS={{justfile_directory()}}/target/peers cargo bench -p convergio-benches --bench gateway_overhead

# LiteLLM (from PyPI, into target/litellm) answers by itself; its token counts and ours, call by call.
peers-litellm:
    python3 -m venv target/litellm
    target/litellm/bin/pip install --quiet 'litellm[proxy]'
    cargo build --quiet -p convergio-cv -p convergiod
    python3 tests/peers/litellm_agrees.py target/debug target/litellm/bin/litellm

# The official SDKs of OpenAI and Anthropic for Python and Node (from PyPI and npm, into target/sdk), through the gateway.
sdk:
    python3 -m venv target/sdk
    target/sdk/bin/pip install --quiet openai anthropic
    npm install --silent --no-audit --no-fund --prefix target/sdk openai @anthropic-ai/sdk
    CONVERGIO_SDK={{justfile_directory()}}/target/sdk cargo test -p convergio-tests -- --ignored --nocapture official_sdks

# Claude Code and Codex (from npm, into target/agents) behind `cv guard`, stopped at their cap.
guard-agent:
    npm install --silent --no-audit --no-fund --prefix target/agents @openai/codex @anthropic-ai/claude-code
    CONVERGIO_AGENTS={{justfile_directory()}}/target/agents cargo test -p convergio-tests -- --ignored --nocapture behind_the_guard

# Fuzz a target (frames, diffs, model_reply, sse, and NAME_stream of openai, responses, anthropic, gemini, ollama; gateway_request, gateway_stream, price_list) for a number of executions; needs cargo-fuzz.
fuzz target runs="10000000":
    RUSTC_BOOTSTRAP=1 cargo fuzz run --release --sanitizer none {{target}} -- -runs={{runs}} -max_len=4096 -rss_limit_mb=2048

# Check a list of prices and sign it with a key of minisign's (LIST.minisig comes beside it); needs minisign.
sign-prices list key:
    cargo run --quiet -p convergio-models-remote --example check_prices -- {{list}}
    minisign -S -s {{key}} -m {{list}} -t "prices of $(date -u +%Y-%m-%d)"

# Campaigns: the same tests, longer. CONVERGIO_SEED=N plays one again.

# 500 rounds of 20 clients at once, and of clients that come while the daemon leaves.
campaign-start rounds="500":
    CONVERGIO_ROUNDS={{rounds}} cargo test -p convergio-tests -- --nocapture twenty_clients who_comes

# 1,000 kills of a daemon that reviews.
campaign-kill cycles="1000" seed="1":
    CONVERGIO_CYCLES={{cycles}} CONVERGIO_SEED={{seed}} cargo test -p convergio-tests -- --nocapture nothing_acknowledged

# 1,000 kills of a daemon, and 1,000 of a client, at every step of a question.
campaign-kill-ask cycles="1000" seed="1":
    CONVERGIO_CYCLES={{cycles}} CONVERGIO_SEED={{seed}} cargo test -p convergio-tests -- --nocapture killed_at_any_step

# 100 rounds of 1,000 callers at once on one budget, before a provider that fails, breaks off and keeps its own count.
campaign-budget rounds="100" callers="1000" seed="1":
    CONVERGIO_ROUNDS={{rounds}} CONVERGIO_CALLERS={{callers}} CONVERGIO_SEED={{seed}} cargo test -p convergio-tests -- --nocapture callers_at_once

# 10,000 cases each of the books against a model of them: one budget, many budgets, any order of ends.
campaign-ledger cycles="10000":
    CONVERGIO_CYCLES={{cycles}} cargo test -p convergio-ledger --test properties --test many_budgets -- --nocapture

# 2,000 kills of a daemon at every named step of a call, inside its commits too (needs strace), and 2,000 behind its gateway.
campaign-kill-money cycles="2000" seed="1":
    CONVERGIO_CYCLES={{cycles}} CONVERGIO_SEED={{seed}} cargo test -p convergio-tests -- --nocapture killed_at_any_step_of_a_call killed_behind_its_gateway

# 1,000 kills of a daemon between claiming a reminder, showing it, and writing that down.
campaign-kill-reminders cycles="1000" seed="1":
    CONVERGIO_CYCLES={{cycles}} CONVERGIO_SEED={{seed}} cargo test -p convergiod --test reminders -- --nocapture killed_at_any_step_shows

# A client that sends a byte a second.
campaign-slow:
    CONVERGIO_BYTE_PAUSE_MS=1000 cargo test -p convergio-tests -- --nocapture byte_by_byte

# A provider's connection reset at every byte of an answer, in every dialect.
campaign-resets:
    CONVERGIO_EVERY_BYTE=1 cargo test -p convergio-tests -- --nocapture a_reset_at_any_byte

# A reader that sleeps longer than a subscription waits.
campaign-stall:
    cargo test -p convergio-tests -- --ignored --nocapture a_reader_that_sleeps

# Memory and wake-ups of an idle daemon, as it is released.
campaign-idle seconds="120":
    CONVERGIO_IDLE_S={{seconds}} cargo test --release -p convergio-tests -- --ignored --nocapture an_idle

# 10,000 random rules of recurrence, as python-dateutil has them (needs python3 with dateutil).
campaign-recurrence count="10000" seed="1":
    python3 daemon/tasks/tests/recur/random_rules.py --seed {{seed}} --count {{count}} > target/rules.tsv
    CONVERGIO_RULES={{justfile_directory()}}/target/rules.tsv cargo test -p convergio-tasks --test recur -- --nocapture dateutil
