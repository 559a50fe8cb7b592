-- The tables of runs. Ids are UUIDv7 as 16-byte blobs, not text: half the size in every key and
-- index, and one id has one spelling, on which the idempotency of runs rests. Tables whose rows are
-- long (bodies, payloads, images) keep their rowid: without it long rows spill into pages of their own.

CREATE TABLE tenant (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    mode        TEXT    NOT NULL CHECK (mode IN ('local', 'team')),
    policy_json TEXT    NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tenant_one_local ON tenant (mode) WHERE mode = 'local';

CREATE TABLE profile (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    subject_id  BLOB    NOT NULL UNIQUE CHECK (length(subject_id) = 16),
    age_band    TEXT    NOT NULL DEFAULT 'adult',
    guardian_id BLOB    REFERENCES profile (id),
    locale      TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    tenant_id       BLOB    NOT NULL REFERENCES tenant (id),
    id              BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    profile_id      BLOB    NOT NULL REFERENCES profile (id),
    agent           TEXT,
    retention_class TEXT    NOT NULL DEFAULT 'session',
    created_ms      INTEGER NOT NULL,
    deleted_ms      INTEGER,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    tenant_id       BLOB    NOT NULL REFERENCES tenant (id),
    id              BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    session_id      BLOB    REFERENCES session (id),
    kind            TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
    root            TEXT,
    selection       TEXT,
    base_sha        TEXT,
    request_hash    BLOB    NOT NULL CHECK (length(request_hash) = 32),
    idempotency_key TEXT,
    ephemeral       INTEGER NOT NULL CHECK (ephemeral IN (0, 1)),
    outcome         TEXT,
    started_ms      INTEGER NOT NULL,
    ended_ms        INTEGER,
    -- When the content (the events) may go; the row itself stays longer.
    expires_ms      INTEGER,
    purged_ms       INTEGER,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'running') = (ended_ms IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX run_idempotency ON run (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX run_by_start ON run (tenant_id, started_ms, id);
CREATE INDEX run_by_root ON run (tenant_id, root, ended_ms) WHERE root IS NOT NULL;
CREATE INDEX run_running ON run (tenant_id, id) WHERE state = 'running';
CREATE INDEX run_expiry ON run (expires_ms) WHERE expires_ms IS NOT NULL AND purged_ms IS NULL;
CREATE INDEX run_purged ON run (ended_ms) WHERE purged_ms IS NOT NULL;

CREATE TABLE message (
    session_id  BLOB    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL CHECK (seq > 0),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    parent_id   BLOB    REFERENCES message (id),
    role        TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    model       TEXT,
    recipient   TEXT,
    run_id      BLOB    REFERENCES run (id) ON DELETE SET NULL,
    created_ms  INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;

CREATE TABLE event_log (
    run_id      BLOB    NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL CHECK (seq > 0),
    type        TEXT    NOT NULL,
    at_ms       INTEGER NOT NULL,
    payload     TEXT    NOT NULL,
    -- NULL: as long as the run's content.
    expires_ms  INTEGER,
    PRIMARY KEY (run_id, seq)
) STRICT;

CREATE UNIQUE INDEX event_log_one_terminal ON event_log (run_id)
    WHERE type IN ('completed', 'failed', 'cancelled');

CREATE TABLE undo (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    verb         TEXT    NOT NULL,
    root         TEXT,
    path         TEXT    NOT NULL,
    -- NULL: the file did not exist.
    before_image BLOB,
    before_mode  INTEGER,
    -- NULL: the change removes the file.
    after_hash   BLOB    CHECK (after_hash IS NULL OR length(after_hash) = 32),
    run_id       BLOB    REFERENCES run (id) ON DELETE SET NULL,
    finding      TEXT,
    state        TEXT    NOT NULL CHECK (state IN ('recorded', 'undone', 'dropped')),
    created_ms   INTEGER NOT NULL,
    changed_ms   INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT;

CREATE INDEX undo_latest ON undo (tenant_id, created_ms, id);
CREATE INDEX undo_expiry ON undo (expires_ms);
CREATE INDEX undo_run ON undo (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX message_run ON message (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE review_silence (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    root        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, root, fingerprint)
) STRICT, WITHOUT ROWID;

-- The one local tenant and its one profile. Their ids are made here, new on every machine, so that
-- two machines' exports can later meet in one team database.
INSERT INTO tenant (id, name, mode)
SELECT unhex(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER))
        || '7' || substr(hex(randomblob(2)), 2)
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(8)), 2)),
    'local', 'local';

INSERT INTO profile (tenant_id, id, subject_id)
SELECT id,
    unhex(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER))
        || '7' || substr(hex(randomblob(2)), 2)
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(8)), 2)),
    unhex(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER))
        || '7' || substr(hex(randomblob(2)), 2)
        || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(8)), 2))
FROM tenant WHERE mode = 'local';
