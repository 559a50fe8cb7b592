-- What the ledger needs once others than a day limit spending, once providers send invoices, and
-- once answers are kept.

-- Budgets: of a token and for its whole life; whether the settings name a budget.

CREATE TABLE budget_new (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    scope        TEXT    NOT NULL
        CHECK (scope IN ('tenant', 'profile', 'agent', 'plugin', 'provider', 'session', 'run', 'token')),
    -- Which profile, agent, …; '' for the tenant.
    scope_key    TEXT    NOT NULL,
    window       TEXT    NOT NULL CHECK (window IN ('day', 'month', 'run', 'session', 'total')),
    tz           TEXT    NOT NULL,
    unit         TEXT    NOT NULL,
    limit_amount INTEGER NOT NULL CHECK (limit_amount >= 0),
    mode         TEXT    NOT NULL CHECK (mode IN ('stop', 'warn')),
    -- The settings name it: it goes when they don't any more.
    of_settings  INTEGER NOT NULL DEFAULT 0 CHECK (of_settings IN (0, 1)),
    created_ms   INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, unit, scope, scope_key, window)
) STRICT, WITHOUT ROWID;

INSERT INTO budget_new (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, created_ms, changed_ms)
SELECT tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, created_ms, changed_ms FROM budget;
DROP TABLE budget;
ALTER TABLE budget_new RENAME TO budget;

CREATE INDEX budget_of_settings ON budget (tenant_id) WHERE of_settings = 1;

-- When a person was asked whether to go on although little is left; 0 for never.
ALTER TABLE budget_window ADD COLUMN asked_ms INTEGER NOT NULL DEFAULT 0;

-- The name of the token that a call came in with.
ALTER TABLE attempt ADD COLUMN token TEXT;

CREATE INDEX attempt_by_token ON attempt (tenant_id, token, started_ms) WHERE token IS NOT NULL;

-- Holds of quotas have no attempt: what a former process left open is found by this.
CREATE INDEX transfer_quota_holds ON transfer (tenant_id, debit, wall_ms)
    WHERE kind = 'pending' AND unit <> 'nano_usd';

-- The latest time that was ever acted on, and since when the system's clock is behind it.
CREATE TABLE clock (
    tenant_id  BLOB    NOT NULL PRIMARY KEY REFERENCES tenant (id),
    high_ms    INTEGER NOT NULL,
    -- Transfers up to this one have times that are not believed any more.
    after_seq  INTEGER NOT NULL DEFAULT 0,
    suspect    INTEGER NOT NULL DEFAULT 0 CHECK (suspect IN (0, 1)),
    -- Where the monotonic clock was when this was last looked at, and how much of it has passed
    -- under suspicion.
    boot_id    BLOB    NOT NULL CHECK (length(boot_id) = 16),
    mono_ns    INTEGER NOT NULL,
    waited_ns  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Costs that a person may say yes to, once.
CREATE TABLE cost_offer (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
    price_sha256 BLOB    NOT NULL CHECK (length(price_sha256) = 32),
    ceiling_nano INTEGER NOT NULL CHECK (ceiling_nano >= 0),
    expires_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX cost_offer_by_expiry ON cost_offer (tenant_id, expires_ms);

-- End of budgets.

-- Audit: what a provider's invoice corrects, and what somebody does not believe.

-- Why a transfer of kind 'adjust' was added.
CREATE TABLE adjustment (
    tenant_id      BLOB    NOT NULL REFERENCES tenant (id),
    transfer_id    BLOB    NOT NULL UNIQUE REFERENCES transfer (id),
    -- In UTC, as the provider bills it: 2026-11-20.
    day            TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    -- '' where the invoice names none.
    model          TEXT    NOT NULL,
    drift          TEXT    NOT NULL
        CHECK (drift IN ('missing_local', 'missing_remote', 'price_drift', 'usage_drift')),
    -- Below zero where less was billed than the books said.
    signed_nano    INTEGER NOT NULL CHECK (signed_nano <> 0),
    invoice_sha256 BLOB    NOT NULL CHECK (length(invoice_sha256) = 32),
    created_ms     INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, transfer_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX adjustment_by_day ON adjustment (tenant_id, provider, day, model);

CREATE TABLE dispute (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    attempt_id   BLOB    NOT NULL UNIQUE REFERENCES attempt (id),
    note         TEXT,
    opened_ms    INTEGER NOT NULL,
    withdrawn_ms INTEGER,
    PRIMARY KEY (tenant_id, attempt_id)
) STRICT, WITHOUT ROWID;

-- End of audit.

-- Tokens: what programs present at the gateway.

CREATE TABLE token (
    tenant_id     BLOB    NOT NULL REFERENCES tenant (id),
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Never given twice: budgets and attempts name it.
    name          TEXT    NOT NULL,
    -- SHA-256 of its text, which nobody keeps.
    hash          BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- The program that calls with it.
    client        TEXT    NOT NULL,
    root          TEXT,
    -- Names of models, or NULL for every one; and what names of models stand for.
    models_json   TEXT,
    map_json      TEXT    NOT NULL DEFAULT '{}',
    policy        TEXT,
    -- Good only while the connection lasts that made it.
    bound         INTEGER NOT NULL DEFAULT 0 CHECK (bound IN (0, 1)),
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER,
    last_used_ms  INTEGER,
    revoked_ms    INTEGER,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX token_bound ON token (tenant_id, id) WHERE bound = 1 AND revoked_ms IS NULL;

-- End of tokens.

-- Answers: what is given again when the same is asked.

CREATE TABLE kept_answer (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    -- SHA-256 of the request as its model would read it, and of who asks under which policy.
    key         BLOB    NOT NULL CHECK (length(key) = 32),
    -- The run that was answered, and its conversation: the answer goes with the first of them.
    run_id      BLOB    NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    session_id  BLOB    REFERENCES session (id) ON DELETE CASCADE,
    body        TEXT    NOT NULL,
    bytes       INTEGER NOT NULL CHECK (bytes >= 0),
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,
    used_ms     INTEGER NOT NULL,
    hits        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, key)
) STRICT;

CREATE INDEX kept_answer_by_run ON kept_answer (run_id);
CREATE INDEX kept_answer_by_session ON kept_answer (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX kept_answer_by_use ON kept_answer (tenant_id, used_ms);
CREATE INDEX kept_answer_by_expiry ON kept_answer (expires_ms);

-- End of answers.
