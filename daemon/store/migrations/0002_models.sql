-- What calls of models leave behind: the ledger with its prices and budgets, what left the machine,
-- conversations that a folder can continue, templates. Rows of the ledger name runs without
-- referring to them: a run's row goes before its money does.

ALTER TABLE session ADD COLUMN root TEXT;
ALTER TABLE session ADD COLUMN title TEXT;
-- When its last message came; the latest one of a folder is what a person continues.
ALTER TABLE session ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0;
UPDATE session SET active_ms = created_ms;

CREATE INDEX session_by_activity ON session (tenant_id, active_ms, id);
CREATE INDEX session_by_root ON session (tenant_id, root, active_ms, id) WHERE root IS NOT NULL;
CREATE INDEX session_deleted ON session (deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX run_by_session ON run (session_id, started_ms) WHERE session_id IS NOT NULL;
CREATE INDEX message_parent ON message (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE egress (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    run_id      BLOB,
    attempt_id  BLOB,
    at_ms       INTEGER NOT NULL,
    -- Scheme, host and port.
    destination TEXT    NOT NULL,
    bytes       INTEGER NOT NULL CHECK (bytes >= 0),
    purpose     TEXT    NOT NULL,
    redactions  INTEGER NOT NULL DEFAULT 0 CHECK (redactions >= 0),
    policy      TEXT    NOT NULL,
    model       TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX egress_by_time ON egress (tenant_id, at_ms, id);
CREATE INDEX egress_by_run ON egress (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE template (
    tenant_id  BLOB    NOT NULL REFERENCES tenant (id),
    name       TEXT    NOT NULL,
    system     TEXT,
    prompt     TEXT    NOT NULL,
    -- What it is for, `provider/model`.
    model      TEXT,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, name)
) STRICT;

CREATE TABLE price_version (
    tenant_id         BLOB    NOT NULL REFERENCES tenant (id),
    id                BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    effective_from_ms INTEGER NOT NULL,
    -- Of the rows, in their order.
    sha256            BLOB    NOT NULL CHECK (length(sha256) = 32),
    source            TEXT    NOT NULL,
    created_ms        INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE price (
    version_id       BLOB    NOT NULL REFERENCES price_version (id),
    provider         TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    resource         TEXT    NOT NULL,
    service_tier     TEXT    NOT NULL DEFAULT '',
    tier_min_prompt  INTEGER NOT NULL DEFAULT 0 CHECK (tier_min_prompt >= 0),
    tier_mode        TEXT    NOT NULL CHECK (tier_mode IN ('whole_request', 'marginal')),
    nano_per_million INTEGER NOT NULL CHECK (nano_per_million >= 0),
    quantum          INTEGER NOT NULL DEFAULT 1 CHECK (quantum > 0),
    PRIMARY KEY (version_id, provider, model, resource, service_tier, tier_min_prompt)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    tenant_id        BLOB    NOT NULL REFERENCES tenant (id),
    id               BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    run_id           BLOB    NOT NULL,
    n                INTEGER NOT NULL CHECK (n > 0),
    session_id       BLOB,
    -- The profile's pseudonym.
    subject_id       BLOB    NOT NULL,
    agent            TEXT,
    plugin           TEXT,
    client           TEXT,
    root             TEXT,
    provider         TEXT    NOT NULL,
    model            TEXT    NOT NULL,
    local            INTEGER NOT NULL CHECK (local IN (0, 1)),
    policy           TEXT    NOT NULL,
    state            TEXT    NOT NULL
        CHECK (state IN ('reserved', 'dispatched', 'settled', 'voided', 'unknown')),
    provider_req_id  TEXT,
    -- The model that answered, where it said so.
    answered_by      TEXT,
    stop             TEXT,
    price_version_id BLOB    REFERENCES price_version (id),
    input_ceiling    INTEGER NOT NULL CHECK (input_ceiling >= 0),
    max_output       INTEGER NOT NULL CHECK (max_output >= 0),
    est_nano         INTEGER NOT NULL CHECK (est_nano >= 0),
    -- What its transfers come to; NULL until it ends.
    cost_nano        INTEGER,
    -- Quantities, and what they cost, by resource.
    usage_json       TEXT,
    lines_json       TEXT,
    usage_source     TEXT    CHECK (usage_source IN ('reported', 'estimate', 'estimate_ceiling', 'nothing')),
    inconsistent     INTEGER NOT NULL DEFAULT 0 CHECK (inconsistent IN (0, 1)),
    started_ms       INTEGER NOT NULL,
    ended_ms         INTEGER,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (run_id, n),
    CHECK ((state IN ('reserved', 'dispatched')) = (ended_ms IS NULL)),
    CHECK ((ended_ms IS NULL) = (cost_nano IS NULL)),
    CHECK (local = 1 OR price_version_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempt_by_start ON attempt (tenant_id, started_ms, id);
CREATE INDEX attempt_by_session ON attempt (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX attempt_open ON attempt (tenant_id, id) WHERE state IN ('reserved', 'dispatched');

CREATE TABLE transfer (
    tenant_id  BLOB    NOT NULL REFERENCES tenant (id),
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    -- From 1, without a gap.
    seq        INTEGER NOT NULL CHECK (seq > 0),
    kind       TEXT    NOT NULL
        CHECK (kind IN ('pending', 'post', 'void', 'expire', 'overage', 'adjust', 'grant')),
    pending_id BLOB    REFERENCES transfer (id),
    debit      TEXT    NOT NULL,
    credit     TEXT    NOT NULL,
    unit       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    attempt_id BLOB,
    wall_ms    INTEGER NOT NULL,
    boot_id    BLOB    NOT NULL CHECK (length(boot_id) = 16),
    mono_ns    INTEGER NOT NULL,
    prev_hash  BLOB    NOT NULL CHECK (length(prev_hash) = 32),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, seq),
    CHECK (debit <> credit),
    CHECK ((kind IN ('post', 'void', 'expire', 'overage')) = (pending_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX transfer_resolves_once ON transfer (pending_id)
    WHERE kind IN ('post', 'void', 'expire');
CREATE UNIQUE INDEX transfer_one_overage ON transfer (pending_id) WHERE kind = 'overage';
CREATE UNIQUE INDEX transfer_one_pending ON transfer (attempt_id) WHERE kind = 'pending';
CREATE INDEX transfer_by_attempt ON transfer (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX transfer_pending_by_time ON transfer (tenant_id, wall_ms) WHERE kind = 'pending';

CREATE TRIGGER transfer_is_never_changed BEFORE UPDATE ON transfer
BEGIN
    SELECT raise(ABORT, 'a transfer is never changed');
END;

CREATE TABLE budget (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    scope        TEXT    NOT NULL
        CHECK (scope IN ('tenant', 'profile', 'agent', 'plugin', 'provider', 'session', 'run')),
    -- Which profile, agent, …; '' for the tenant.
    scope_key    TEXT    NOT NULL,
    window       TEXT    NOT NULL CHECK (window IN ('day', 'month', 'run', 'session')),
    tz           TEXT    NOT NULL,
    unit         TEXT    NOT NULL,
    limit_amount INTEGER NOT NULL CHECK (limit_amount >= 0),
    mode         TEXT    NOT NULL CHECK (mode IN ('stop', 'warn')),
    created_ms   INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, unit, scope, scope_key, window)
) STRICT, WITHOUT ROWID;

-- A cache of the transfers, rebuilt by replay.
CREATE TABLE budget_window (
    budget_id  BLOB    NOT NULL REFERENCES budget (id) ON DELETE CASCADE,
    start_ms   INTEGER NOT NULL,
    end_ms     INTEGER NOT NULL,
    -- The run or session of such a window; '' for one of the calendar.
    bucket     TEXT    NOT NULL DEFAULT '',
    posted     INTEGER NOT NULL DEFAULT 0 CHECK (posted >= 0),
    pending    INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
    -- The last transfer that went over a hold, and the last one that a person has answered for:
    -- while the first is behind the second, nothing more is admitted.
    over_seq   INTEGER NOT NULL DEFAULT 0,
    thawed_seq INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (budget_id, start_ms, end_ms, bucket)
) STRICT, WITHOUT ROWID;

-- Which windows a pending transfer counts in.
CREATE TABLE transfer_window (
    transfer_id BLOB    NOT NULL REFERENCES transfer (id),
    budget_id   BLOB    NOT NULL REFERENCES budget (id) ON DELETE CASCADE,
    start_ms    INTEGER NOT NULL,
    end_ms      INTEGER NOT NULL,
    bucket      TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (transfer_id, budget_id, start_ms, end_ms, bucket)
) STRICT, WITHOUT ROWID;

CREATE INDEX transfer_window_replay
    ON transfer_window (budget_id, start_ms, end_ms, bucket, transfer_id);

CREATE TABLE idempotency (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    key          TEXT    NOT NULL,
    request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
    run_id       BLOB    NOT NULL,
    expires_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
