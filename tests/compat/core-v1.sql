-- A database of this schema, frozen. Never edited.
PRAGMA foreign_keys = OFF;
BEGIN;
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
CREATE TABLE profile (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    subject_id  BLOB    NOT NULL UNIQUE CHECK (length(subject_id) = 16),
    age_band    TEXT    NOT NULL DEFAULT 'adult',
    guardian_id BLOB    REFERENCES profile (id),
    locale      TEXT,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE review_silence (
    tenant_id   BLOB    NOT NULL REFERENCES tenant (id),
    root        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, root, fingerprint)
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
CREATE TABLE tenant (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    mode        TEXT    NOT NULL CHECK (mode IN ('local', 'team')),
    policy_json TEXT    NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
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
INSERT INTO tenant (id, name, mode, policy_json) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', 'local', 'local', '{}');
INSERT INTO profile (tenant_id, id, subject_id, age_band, guardian_id, locale) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', X'01A1FA15778472C4AF410A67670D3F95', X'01A1FA1577847210A79F05A18EA3C5A2', 'adult', NULL, NULL);
INSERT INTO session (tenant_id, id, profile_id, agent, retention_class, created_ms, deleted_ms) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', X'01900000000070008000000000000001', X'01A1FA15778472C4AF410A67670D3F95', NULL, 'session', 1760000000000, NULL);
INSERT INTO run (tenant_id, id, session_id, kind, state, root, selection, base_sha, request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms, purged_ms) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', X'01900000000070008000000000000002', NULL, 'review', 'completed', '/home/ada/shop', 'HEAD', 'abc', X'0000000000000000000000000000000000000000000000000000000000000000', 'key', 0, 'complete', 1760000000000, 1760000000500, 1760604800500, NULL);
INSERT INTO run (tenant_id, id, session_id, kind, state, root, selection, base_sha, request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms, purged_ms) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', X'01900000000070008000000000000003', X'01900000000070008000000000000001', 'chat', 'running', NULL, NULL, NULL, X'0000000000000000000000000000000000000000000000000000000000000000', NULL, 0, NULL, 1760000001000, NULL, NULL, NULL);
INSERT INTO message (session_id, seq, id, parent_id, role, body, model, recipient, run_id, created_ms) VALUES (X'01900000000070008000000000000001', 1, X'01900000000070008000000000000004', NULL, 'user', 'hello', NULL, NULL, X'01900000000070008000000000000003', 1760000001000);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 1, 'started', 1760000000000, '{}', NULL);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 2, 'finding', 1760000000100, '{"title":"it''s off"}', NULL);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 3, 'completed', 1760000000500, '{}', NULL);
INSERT INTO undo (tenant_id, id, verb, root, path, before_image, before_mode, after_hash, run_id, finding, state, created_ms, changed_ms, expires_ms) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', X'01900000000070008000000000000005', 'fix', '/home/ada/shop', '/home/ada/shop/pay.py', X'00FF', 420, X'0000000000000000000000000000000000000000000000000000000000000000', X'01900000000070008000000000000002', 'f1', 'recorded', 1760000002000, 1760000002000, 1762592002000);
INSERT INTO review_silence (tenant_id, root, fingerprint, rule, reason, created_ms) VALUES (X'01A1FA157784710E9AD2B462DF34FFF8', '/home/ada/shop', 'f2', 'secrets/aws', 'a fixture', 1760000003000);
CREATE UNIQUE INDEX event_log_one_terminal ON event_log (run_id)
    WHERE type IN ('completed', 'failed', 'cancelled');
CREATE INDEX message_run ON message (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX run_by_root ON run (tenant_id, root, ended_ms) WHERE root IS NOT NULL;
CREATE INDEX run_by_start ON run (tenant_id, started_ms, id);
CREATE INDEX run_expiry ON run (expires_ms) WHERE expires_ms IS NOT NULL AND purged_ms IS NULL;
CREATE UNIQUE INDEX run_idempotency ON run (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX run_purged ON run (ended_ms) WHERE purged_ms IS NOT NULL;
CREATE INDEX run_running ON run (tenant_id, id) WHERE state = 'running';
CREATE UNIQUE INDEX tenant_one_local ON tenant (mode) WHERE mode = 'local';
CREATE INDEX undo_expiry ON undo (expires_ms);
CREATE INDEX undo_latest ON undo (tenant_id, created_ms, id);
CREATE INDEX undo_run ON undo (run_id) WHERE run_id IS NOT NULL;
PRAGMA application_id = 1131824194;
PRAGMA user_version = 1;
COMMIT;
