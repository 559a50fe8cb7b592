-- One row or more in every table of the newest schema, for its frozen fixture.
INSERT INTO session (tenant_id, id, profile_id, created_ms)
SELECT tenant.id, x'01900000000070008000000000000001', profile.id, 1760000000000 FROM tenant, profile;
INSERT INTO run (tenant_id, id, kind, state, root, selection, base_sha, request_hash, idempotency_key, ephemeral, outcome, started_ms, ended_ms, expires_ms)
SELECT id, x'01900000000070008000000000000002', 'review', 'completed', '/home/ada/shop', 'HEAD', 'abc', zeroblob(32), 'key', 0, 'complete', 1760000000000, 1760000000500, 1760604800500 FROM tenant;
INSERT INTO run (tenant_id, id, session_id, kind, state, request_hash, ephemeral, started_ms)
SELECT id, x'01900000000070008000000000000003', x'01900000000070008000000000000001', 'chat', 'running', zeroblob(32), 0, 1760000001000 FROM tenant;
INSERT INTO message (session_id, seq, id, role, body, run_id, created_ms)
VALUES (x'01900000000070008000000000000001', 1, x'01900000000070008000000000000004', 'user', 'hello', x'01900000000070008000000000000003', 1760000001000);
INSERT INTO event_log (run_id, seq, type, at_ms, payload)
VALUES (x'01900000000070008000000000000002', 1, 'started', 1760000000000, '{}'),
    (x'01900000000070008000000000000002', 2, 'finding', 1760000000100, '{"title":"it''s off"}'),
    (x'01900000000070008000000000000002', 3, 'completed', 1760000000500, '{}');
INSERT INTO undo (tenant_id, id, verb, root, path, before_image, before_mode, after_hash, run_id, finding, state, created_ms, changed_ms, expires_ms)
SELECT id, x'01900000000070008000000000000005', 'fix', '/home/ada/shop', '/home/ada/shop/pay.py', x'00ff', 420, zeroblob(32), x'01900000000070008000000000000002', 'f1', 'recorded', 1760000002000, 1760000002000, 1762592002000 FROM tenant;
INSERT INTO review_silence (tenant_id, root, fingerprint, rule, reason, created_ms)
SELECT id, '/home/ada/shop', 'f2', 'secrets/aws', 'a fixture', 1760000003000 FROM tenant;
