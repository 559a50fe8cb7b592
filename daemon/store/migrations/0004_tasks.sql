-- Tasks and reminders.

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

CREATE UNIQUE INDEX task_by_uid ON task (tenant_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX task_by_state ON task (tenant_id, state, due_ms);
CREATE INDEX task_by_fire ON task (tenant_id, next_fire_ms) WHERE next_fire_ms IS NOT NULL;
-- A clock that goes back finds here what fired in a future that did not come.
CREATE INDEX task_by_fired ON task (tenant_id, fired_until_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX task_by_deletion ON task (tenant_id, deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX task_by_parent ON task (parent_id) WHERE parent_id IS NOT NULL;

-- The number that was given last: a task that is purged does not free its own.
CREATE TABLE task_number (
    tenant_id BLOB    NOT NULL PRIMARY KEY REFERENCES tenant (id),
    last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE task_tag (
    task_id BLOB NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    tag     TEXT NOT NULL CHECK (length(tag) > 0),
    PRIMARY KEY (task_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_tag_by_tag ON task_tag (tag);

-- A reminder that fired. Its row is claimed before anything is shown, so that a daemon that dies in
-- between shows it again, under the same id, and one that does not never shows it twice.
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

CREATE INDEX occurrence_waiting ON occurrence (state, fired_ms)
    WHERE state IN ('claimed', 'shown', 'missed');
CREATE INDEX occurrence_by_server ON occurrence (server, server_id) WHERE server IS NOT NULL;
CREATE INDEX occurrence_by_task ON occurrence (task_id, fired_ms);

-- End of tasks.
