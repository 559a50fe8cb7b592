-- A database of this schema, frozen. Never edited.
PRAGMA foreign_keys = OFF;
BEGIN;
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
    ended_ms         INTEGER, token TEXT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (run_id, n),
    CHECK ((state IN ('reserved', 'dispatched')) = (ended_ms IS NULL)),
    CHECK ((ended_ms IS NULL) = (cost_nano IS NULL)),
    CHECK (local = 1 OR price_version_id IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE TABLE "budget" (
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
    thawed_seq INTEGER NOT NULL DEFAULT 0, asked_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (budget_id, start_ms, end_ms, bucket)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE cost_offer (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
    price_sha256 BLOB    NOT NULL CHECK (length(price_sha256) = 32),
    ceiling_nano INTEGER NOT NULL CHECK (ceiling_nano >= 0),
    expires_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE dispute (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    attempt_id   BLOB    NOT NULL UNIQUE REFERENCES attempt (id),
    note         TEXT,
    opened_ms    INTEGER NOT NULL,
    withdrawn_ms INTEGER,
    PRIMARY KEY (tenant_id, attempt_id)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE idempotency (
    tenant_id    BLOB    NOT NULL REFERENCES tenant (id),
    key          TEXT    NOT NULL,
    request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
    run_id       BLOB    NOT NULL,
    expires_ms   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE occurrence (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    task_id         BLOB    NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    -- The planned time that it is for, how many minutes before it it is shown, and which snooze of
    -- it this is: together the identity of a reminder, whatever the clock does.
    due_ms          INTEGER NOT NULL,
    before_min      INTEGER NOT NULL DEFAULT 0,
    snooze          INTEGER NOT NULL DEFAULT 0,
    -- When it should have fired, and when it did.
    fire_ms         INTEGER NOT NULL,
    fired_ms        INTEGER NOT NULL,
    -- Earlier ones that it stands for.
    missed          INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0),
    state           TEXT    NOT NULL CHECK (state IN
                        ('claimed', 'shown', 'missed', 'seen', 'done', 'snoozed', 'dismissed')),
    -- What the notification server called it, and which server that was.
    server_id       INTEGER,
    server          TEXT,
    shown_ms        INTEGER,
    answered_ms     INTEGER,
    UNIQUE (task_id, due_ms, before_min, snooze)
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
    deleted_ms      INTEGER, root TEXT, title TEXT, active_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE task (
    tenant_id         BLOB    NOT NULL REFERENCES tenant (id),
    id                BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    profile_id        BLOB    NOT NULL REFERENCES profile (id),
    -- For people. Never given twice: see task_number.
    number            INTEGER NOT NULL CHECK (number > 0),
    -- SHA-256 of the call that created it: the same call again is answered with the same task.
    request_hash      BLOB    CHECK (request_hash IS NULL OR length(request_hash) = 32),
    -- Where it came from, for what is taken in twice: the UID of a calendar.
    uid               TEXT,
    title             TEXT    NOT NULL CHECK (length(title) > 0),
    notes             TEXT    NOT NULL DEFAULT '',
    state             TEXT    NOT NULL CHECK (state IN ('open', 'waiting', 'done', 'cancelled')),
    priority          TEXT    CHECK (priority IN ('low', 'medium', 'high')),
    project           TEXT,
    parent_id         BLOB    REFERENCES task (id) ON DELETE CASCADE,
    -- Wall clock of the first time, from which a rule counts, and the zone it is read in.
    start_local       TEXT,
    zone              TEXT,
    all_day           INTEGER NOT NULL DEFAULT 0 CHECK (all_day IN (0, 1)),
    -- The time that is due now: the first, or the one that a rule has come to.
    due_local         TEXT,
    due_ms            INTEGER,
    rrule             TEXT,
    basis             TEXT    CHECK (basis IN ('schedule', 'after_completion')),
    -- Minutes before it is due, a JSON array of numbers.
    reminders_json    TEXT    NOT NULL DEFAULT '[]',
    -- What fires next: its planned time, its minutes before it, and when it fires. A snooze moves
    -- only the last.
    next_due_ms       INTEGER,
    next_before_min   INTEGER,
    next_fire_ms      INTEGER,
    -- What was planned up to here has fired, or was never to.
    fired_until_ms    INTEGER NOT NULL DEFAULT 0,
    snoozed_until_ms  INTEGER,
    created_ms        INTEGER NOT NULL,
    modified_ms       INTEGER NOT NULL,
    completed_ms      INTEGER,
    -- Hidden at once, purged when the way back has expired.
    deleted_ms        INTEGER,
    rev               INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number),
    CHECK ((due_local IS NULL) = (zone IS NULL)),
    CHECK ((rrule IS NULL) = (basis IS NULL))
) STRICT;
CREATE TABLE task_number (
    tenant_id BLOB    NOT NULL PRIMARY KEY REFERENCES tenant (id),
    last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE task_tag (
    task_id BLOB NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    tag     TEXT NOT NULL CHECK (length(tag) > 0),
    PRIMARY KEY (task_id, tag)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE tenant (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    mode        TEXT    NOT NULL CHECK (mode IN ('local', 'team')),
    policy_json TEXT    NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
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
CREATE TABLE transfer_window (
    transfer_id BLOB    NOT NULL REFERENCES transfer (id),
    budget_id   BLOB    NOT NULL REFERENCES budget (id) ON DELETE CASCADE,
    start_ms    INTEGER NOT NULL,
    end_ms      INTEGER NOT NULL,
    bucket      TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (transfer_id, budget_id, start_ms, end_ms, bucket)
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
INSERT INTO tenant (id, name, mode, policy_json) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', 'local', 'local', '{}');
INSERT INTO profile (tenant_id, id, subject_id, age_band, guardian_id, locale) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01A1FC560AEC701F8399F3C8FFBDB819', X'01A1FC560AEC73E888CDF6748152EA44', 'adult', NULL, NULL);
INSERT INTO session (tenant_id, id, profile_id, agent, retention_class, created_ms, deleted_ms, root, title, active_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000001', X'01A1FC560AEC701F8399F3C8FFBDB819', NULL, 'session', 1760000000000, NULL, '/home/ada/shop', 'hello', 1760000001000);
INSERT INTO run (tenant_id, id, session_id, kind, state, root, selection, base_sha, request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms, purged_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000002', NULL, 'review', 'completed', '/home/ada/shop', 'HEAD', 'abc', X'0000000000000000000000000000000000000000000000000000000000000000', 'key', 0, 'complete', 1760000000000, 1760000000500, 1760604800500, NULL);
INSERT INTO run (tenant_id, id, session_id, kind, state, root, selection, base_sha, request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms, purged_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000003', X'01900000000070008000000000000001', 'chat', 'running', NULL, NULL, NULL, X'0000000000000000000000000000000000000000000000000000000000000000', NULL, 0, NULL, 1760000001000, NULL, NULL, NULL);
INSERT INTO message (session_id, seq, id, parent_id, role, body, model, recipient, run_id, created_ms) VALUES (X'01900000000070008000000000000001', 1, X'01900000000070008000000000000004', NULL, 'user', 'hello', NULL, NULL, X'01900000000070008000000000000003', 1760000001000);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 1, 'started', 1760000000000, '{}', NULL);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 2, 'finding', 1760000000100, '{"title":"it''s off"}', NULL);
INSERT INTO event_log (run_id, seq, type, at_ms, payload, expires_ms) VALUES (X'01900000000070008000000000000002', 3, 'completed', 1760000000500, '{}', NULL);
INSERT INTO undo (tenant_id, id, verb, root, path, before_image, before_mode, after_hash, run_id, finding, state, created_ms, changed_ms, expires_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000005', 'fix', '/home/ada/shop', '/home/ada/shop/pay.py', X'00FF', 420, X'0000000000000000000000000000000000000000000000000000000000000000', X'01900000000070008000000000000002', 'f1', 'recorded', 1760000002000, 1760000002000, 1762592002000);
INSERT INTO review_silence (tenant_id, root, fingerprint, rule, reason, created_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', '/home/ada/shop', 'f2', 'secrets/aws', 'a fixture', 1760000003000);
INSERT INTO egress (tenant_id, id, run_id, attempt_id, at_ms, destination, bytes, purpose, redactions, policy, model) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000006', X'01900000000070008000000000000003', X'01900000000070008000000000000009', 1760000001000, 'https://api.example.com', 512, 'chat', 1, 'local-first', 'example/large');
INSERT INTO template (tenant_id, name, system, prompt, model, created_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', 'explain', 'Be brief.', 'Explain {{input}}', 'example/large', 1760000004000);
INSERT INTO price_version (tenant_id, id, effective_from_ms, sha256, source, created_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000007', 1750000000000, X'0000000000000000000000000000000000000000000000000000000000000000', 'config', 1760000000000);
INSERT INTO price (version_id, provider, model, resource, service_tier, tier_min_prompt, tier_mode, nano_per_million, quantum) VALUES (X'01900000000070008000000000000007', 'example', 'large', 'in_uncached', '', 0, 'whole_request', 3000000000, 1);
INSERT INTO price (version_id, provider, model, resource, service_tier, tier_min_prompt, tier_mode, nano_per_million, quantum) VALUES (X'01900000000070008000000000000007', 'example', 'large', 'out_text', '', 0, 'whole_request', 15000000000, 1);
INSERT INTO attempt (tenant_id, id, run_id, n, session_id, subject_id, agent, plugin, client, root, provider, model, local, policy, state, provider_req_id, answered_by, stop, price_version_id, input_ceiling, max_output, est_nano, cost_nano, usage_json, lines_json, usage_source, inconsistent, started_ms, ended_ms, token) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000009', X'01900000000070008000000000000003', 1, X'01900000000070008000000000000001', X'01A1FC560AEC73E888CDF6748152EA44', NULL, NULL, 'cv', '/home/ada/shop', 'example', 'large', 0, 'local-first', 'settled', NULL, NULL, NULL, X'01900000000070008000000000000007', 100, 256, 4140000, 450000, '{"in_uncached":100,"out_text":10}', '{"in_uncached":300000,"out_text":150000}', 'reported', 0, 1760000001000, 1760000001500, NULL);
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000A', 1, 'pending', NULL, 'spent/example/large', 'owed/example', 'nano_usd', 4140000, X'01900000000070008000000000000009', 1760000001000, X'00000000000000000000000000000000', 1, X'0000000000000000000000000000000000000000000000000000000000000000', X'0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000B', 2, 'post', X'0190000000007000800000000000000A', 'spent/example/large', 'owed/example', 'nano_usd', 450000, X'01900000000070008000000000000009', 1760000001500, X'00000000000000000000000000000000', 2, X'0000000000000000000000000000000000000000000000000000000000000000', X'0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000C', 3, 'adjust', NULL, 'spent/example/large', 'owed/example', 'nano_usd', 13500, NULL, 1760100000000, X'00000000000000000000000000000000', 3, X'0000000000000000000000000000000000000000000000000000000000000000', X'0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO budget_window (budget_id, start_ms, end_ms, bucket, posted, pending, over_seq, thawed_seq, asked_ms) VALUES (X'01900000000070008000000000000008', 1759960800000, 1760047200000, '', 450000, 0, 0, 0, 0);
INSERT INTO transfer_window (transfer_id, budget_id, start_ms, end_ms, bucket) VALUES (X'0190000000007000800000000000000A', X'01900000000070008000000000000008', 1759960800000, 1760047200000, '');
INSERT INTO idempotency (tenant_id, key, request_hash, run_id, expires_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', 'key', X'0000000000000000000000000000000000000000000000000000000000000000', X'01900000000070008000000000000002', 1760086400000);
INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, of_settings, created_ms, changed_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000008', 'tenant', '', 'day', 'Europe/Rome', 'nano_usd', 1000000000, 'stop', 0, 1760000000000, 1760000000000);
INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, of_settings, created_ms, changed_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000D', 'token', 'claude', 'total', 'Europe/Rome', 'nano_usd', 5000000000, 'stop', 0, 1760100000000, 1760100000000);
INSERT INTO clock (tenant_id, high_ms, after_seq, suspect, boot_id, mono_ns, waited_ns) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', 1760100000000, 0, 0, X'00000000000000000000000000000000', 4, 0);
INSERT INTO cost_offer (tenant_id, id, request_hash, price_sha256, ceiling_nano, expires_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000E', X'0000000000000000000000000000000000000000000000000000000000000000', X'0000000000000000000000000000000000000000000000000000000000000000', 750000000, 1760100300000);
INSERT INTO adjustment (tenant_id, transfer_id, day, provider, model, drift, signed_nano, invoice_sha256, created_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000C', '2025-10-09', 'example', 'large', 'price_drift', 13500, X'0000000000000000000000000000000000000000000000000000000000000000', 1760100000000);
INSERT INTO dispute (tenant_id, attempt_id, note, opened_ms, withdrawn_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000009', 'billed twice', 1760100000000, NULL);
INSERT INTO token (tenant_id, id, name, hash, client, root, models_json, map_json, policy, bound, created_ms, expires_ms, last_used_ms, revoked_ms) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0190000000007000800000000000000F', 'claude', X'0000000000000000000000000000000000000000000000000000000000000000', 'claude', NULL, NULL, '{"*":"example/large"}', NULL, 0, 1760100000000, NULL, NULL, NULL);
INSERT INTO kept_answer (tenant_id, key, run_id, session_id, body, bytes, created_ms, expires_ms, used_ms, hits) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'0000000000000000000000000000000000000000000000000000000000000000', X'01900000000070008000000000000003', X'01900000000070008000000000000001', '{"parts":["Yes."]}', 18, 1760000001500, 1760086401500, 1760000001500, 0);
INSERT INTO task (tenant_id, id, profile_id, number, request_hash, uid, title, notes, state, priority, project, parent_id, start_local, zone, all_day, due_local, due_ms, rrule, basis, reminders_json, next_due_ms, next_before_min, next_fire_ms, fired_until_ms, snoozed_until_ms, created_ms, modified_ms, completed_ms, deleted_ms, rev) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', X'01900000000070008000000000000010', X'01A1FC560AEC701F8399F3C8FFBDB819', 1, X'0000000000000000000000000000000000000000000000000000000000000000', NULL, 'call Mario', 'his number is new', 'open', 'high', 'house.garden', NULL, '2025-10-11T09:00:00', 'Europe/Rome', 0, '2025-10-11T09:00:00', 1760166000000, 'FREQ=WEEKLY', 'schedule', '[60,0]', 1760770800000, 60, 1760767200000, 1760166000000, NULL, 1760100000000, 1760166000005, NULL, NULL, 1);
INSERT INTO task_number (tenant_id, last) VALUES (X'01A1FC560AEB7E409856BF0A17035BDB', 1);
INSERT INTO task_tag (task_id, tag) VALUES (X'01900000000070008000000000000010', 'phone');
INSERT INTO occurrence (id, task_id, due_ms, before_min, snooze, fire_ms, fired_ms, missed, state, server_id, server, shown_ms, answered_ms) VALUES (X'01900000000070008000000000000011', X'01900000000070008000000000000010', 1760166000000, 0, 0, 1760166000000, 1760166000005, 0, 'shown', 4, ':1.7', 1760166000009, NULL);
CREATE INDEX adjustment_by_day ON adjustment (tenant_id, provider, day, model);
CREATE INDEX attempt_by_session ON attempt (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX attempt_by_start ON attempt (tenant_id, started_ms, id);
CREATE INDEX attempt_by_token ON attempt (tenant_id, token, started_ms) WHERE token IS NOT NULL;
CREATE INDEX attempt_open ON attempt (tenant_id, id) WHERE state IN ('reserved', 'dispatched');
CREATE INDEX budget_of_settings ON budget (tenant_id) WHERE of_settings = 1;
CREATE INDEX cost_offer_by_expiry ON cost_offer (tenant_id, expires_ms);
CREATE INDEX egress_by_run ON egress (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX egress_by_time ON egress (tenant_id, at_ms, id);
CREATE UNIQUE INDEX event_log_one_terminal ON event_log (run_id)
    WHERE type IN ('completed', 'failed', 'cancelled');
CREATE INDEX kept_answer_by_expiry ON kept_answer (expires_ms);
CREATE INDEX kept_answer_by_run ON kept_answer (run_id);
CREATE INDEX kept_answer_by_session ON kept_answer (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX kept_answer_by_use ON kept_answer (tenant_id, used_ms);
CREATE INDEX message_parent ON message (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX message_run ON message (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX occurrence_by_server ON occurrence (server, server_id) WHERE server IS NOT NULL;
CREATE INDEX occurrence_by_task ON occurrence (task_id, fired_ms);
CREATE INDEX occurrence_waiting ON occurrence (state, fired_ms)
    WHERE state IN ('claimed', 'shown', 'missed');
CREATE INDEX run_by_root ON run (tenant_id, root, ended_ms) WHERE root IS NOT NULL;
CREATE INDEX run_by_session ON run (session_id, started_ms) WHERE session_id IS NOT NULL;
CREATE INDEX run_by_start ON run (tenant_id, started_ms, id);
CREATE INDEX run_expiry ON run (expires_ms) WHERE expires_ms IS NOT NULL AND purged_ms IS NULL;
CREATE UNIQUE INDEX run_idempotency ON run (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX run_purged ON run (ended_ms) WHERE purged_ms IS NOT NULL;
CREATE INDEX run_running ON run (tenant_id, id) WHERE state = 'running';
CREATE INDEX session_by_activity ON session (tenant_id, active_ms, id);
CREATE INDEX session_by_root ON session (tenant_id, root, active_ms, id) WHERE root IS NOT NULL;
CREATE INDEX session_deleted ON session (deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX task_by_deletion ON task (tenant_id, deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX task_by_fire ON task (tenant_id, next_fire_ms) WHERE next_fire_ms IS NOT NULL;
CREATE INDEX task_by_fired ON task (tenant_id, fired_until_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX task_by_parent ON task (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_by_state ON task (tenant_id, state, due_ms);
CREATE UNIQUE INDEX task_by_uid ON task (tenant_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX task_tag_by_tag ON task_tag (tag);
CREATE UNIQUE INDEX tenant_one_local ON tenant (mode) WHERE mode = 'local';
CREATE INDEX token_bound ON token (tenant_id, id) WHERE bound = 1 AND revoked_ms IS NULL;
CREATE INDEX transfer_by_attempt ON transfer (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE TRIGGER transfer_is_never_changed BEFORE UPDATE ON transfer
BEGIN
    SELECT raise(ABORT, 'a transfer is never changed');
END;
CREATE UNIQUE INDEX transfer_one_overage ON transfer (pending_id) WHERE kind = 'overage';
CREATE UNIQUE INDEX transfer_one_pending ON transfer (attempt_id) WHERE kind = 'pending';
CREATE INDEX transfer_pending_by_time ON transfer (tenant_id, wall_ms) WHERE kind = 'pending';
CREATE INDEX transfer_quota_holds ON transfer (tenant_id, debit, wall_ms)
    WHERE kind = 'pending' AND unit <> 'nano_usd';
CREATE UNIQUE INDEX transfer_resolves_once ON transfer (pending_id)
    WHERE kind IN ('post', 'void', 'expire');
CREATE INDEX transfer_window_replay
    ON transfer_window (budget_id, start_ms, end_ms, bucket, transfer_id);
CREATE INDEX undo_expiry ON undo (expires_ms);
CREATE INDEX undo_latest ON undo (tenant_id, created_ms, id);
CREATE INDEX undo_run ON undo (run_id) WHERE run_id IS NOT NULL;
PRAGMA application_id = 1131824194;
PRAGMA user_version = 4;
COMMIT;
