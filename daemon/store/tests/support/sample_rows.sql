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
UPDATE session SET root = '/home/ada/shop', title = 'hello', active_ms = 1760000001000;
INSERT INTO egress (tenant_id, id, run_id, attempt_id, at_ms, destination, bytes, purpose, redactions, policy, model)
SELECT id, x'01900000000070008000000000000006', x'01900000000070008000000000000003', x'01900000000070008000000000000009', 1760000001000, 'https://api.example.com', 512, 'chat', 1, 'local-first', 'example/large' FROM tenant;
INSERT INTO template (tenant_id, name, system, prompt, model, created_ms)
SELECT id, 'explain', 'Be brief.', 'Explain {{input}}', 'example/large', 1760000004000 FROM tenant;
INSERT INTO price_version (tenant_id, id, effective_from_ms, sha256, source, created_ms)
SELECT id, x'01900000000070008000000000000007', 1750000000000, zeroblob(32), 'config', 1760000000000 FROM tenant;
INSERT INTO price (version_id, provider, model, resource, tier_mode, nano_per_million)
VALUES (x'01900000000070008000000000000007', 'example', 'large', 'in_uncached', 'whole_request', 3000000000),
    (x'01900000000070008000000000000007', 'example', 'large', 'out_text', 'whole_request', 15000000000);
INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, created_ms, changed_ms)
SELECT id, x'01900000000070008000000000000008', 'tenant', '', 'day', 'Europe/Rome', 'nano_usd', 1000000000, 'stop', 1760000000000, 1760000000000 FROM tenant;
INSERT INTO attempt (tenant_id, id, run_id, n, session_id, subject_id, client, root, provider, model, local, policy, state, price_version_id, input_ceiling, max_output, est_nano, cost_nano, usage_json, lines_json, usage_source, started_ms, ended_ms)
SELECT tenant.id, x'01900000000070008000000000000009', x'01900000000070008000000000000003', 1, x'01900000000070008000000000000001', profile.subject_id, 'cv', '/home/ada/shop', 'example', 'large', 0, 'local-first', 'settled', x'01900000000070008000000000000007', 100, 256, 4140000, 450000, '{"in_uncached":100,"out_text":10}', '{"in_uncached":300000,"out_text":150000}', 'reported', 1760000001000, 1760000001500 FROM tenant, profile;
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash)
SELECT id, x'0190000000007000800000000000000a', 1, 'pending', NULL, 'spent/example/large', 'owed/example', 'nano_usd', 4140000, x'01900000000070008000000000000009', 1760000001000, zeroblob(16), 1, zeroblob(32), zeroblob(32) FROM tenant;
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash)
SELECT id, x'0190000000007000800000000000000b', 2, 'post', x'0190000000007000800000000000000a', 'spent/example/large', 'owed/example', 'nano_usd', 450000, x'01900000000070008000000000000009', 1760000001500, zeroblob(16), 2, zeroblob(32), zeroblob(32) FROM tenant;
INSERT INTO budget_window (budget_id, start_ms, end_ms, posted)
VALUES (x'01900000000070008000000000000008', 1759960800000, 1760047200000, 450000);
INSERT INTO transfer_window (transfer_id, budget_id, start_ms, end_ms)
VALUES (x'0190000000007000800000000000000a', x'01900000000070008000000000000008', 1759960800000, 1760047200000);
INSERT INTO idempotency (tenant_id, key, request_hash, run_id, expires_ms)
SELECT id, 'key', zeroblob(32), x'01900000000070008000000000000002', 1760086400000 FROM tenant;
INSERT INTO transfer (tenant_id, id, seq, kind, pending_id, debit, credit, unit, amount, attempt_id, wall_ms, boot_id, mono_ns, prev_hash, hash)
SELECT id, x'0190000000007000800000000000000c', 3, 'adjust', NULL, 'spent/example/large', 'owed/example', 'nano_usd', 13500, NULL, 1760100000000, zeroblob(16), 3, zeroblob(32), zeroblob(32) FROM tenant;
INSERT INTO adjustment (tenant_id, transfer_id, day, provider, model, drift, signed_nano, invoice_sha256, created_ms)
SELECT id, x'0190000000007000800000000000000c', '2025-10-09', 'example', 'large', 'price_drift', 13500, zeroblob(32), 1760100000000 FROM tenant;
INSERT INTO dispute (tenant_id, attempt_id, note, opened_ms)
SELECT id, x'01900000000070008000000000000009', 'billed twice', 1760100000000 FROM tenant;
INSERT INTO budget (tenant_id, id, scope, scope_key, window, tz, unit, limit_amount, mode, of_settings, created_ms, changed_ms)
SELECT id, x'0190000000007000800000000000000d', 'token', 'claude', 'total', 'Europe/Rome', 'nano_usd', 5000000000, 'stop', 0, 1760100000000, 1760100000000 FROM tenant;
INSERT INTO clock (tenant_id, high_ms, boot_id, mono_ns) SELECT id, 1760100000000, zeroblob(16), 4 FROM tenant;
INSERT INTO cost_offer (tenant_id, id, request_hash, price_sha256, ceiling_nano, expires_ms)
SELECT id, x'0190000000007000800000000000000e', zeroblob(32), zeroblob(32), 750000000, 1760100300000 FROM tenant;
INSERT INTO token (tenant_id, id, name, hash, client, map_json, bound, created_ms)
SELECT id, x'0190000000007000800000000000000f', 'claude', zeroblob(32), 'claude', '{"*":"example/large"}', 0, 1760100000000 FROM tenant;
INSERT INTO kept_answer (tenant_id, key, run_id, session_id, body, bytes, created_ms, expires_ms, used_ms)
SELECT id, zeroblob(32), x'01900000000070008000000000000003', x'01900000000070008000000000000001', '{"parts":["Yes."]}', 18, 1760000001500, 1760086401500, 1760000001500 FROM tenant;
INSERT INTO task (tenant_id, id, profile_id, number, request_hash, title, notes, state, priority, project, start_local, zone, due_local, due_ms, rrule, basis, reminders_json, next_due_ms, next_before_min, next_fire_ms, fired_until_ms, created_ms, modified_ms)
SELECT tenant_id, x'01900000000070008000000000000010', id, 1, zeroblob(32), 'call Mario', 'his number is new', 'open', 'high', 'house.garden', '2025-10-11T09:00:00', 'Europe/Rome', '2025-10-11T09:00:00', 1760166000000, 'FREQ=WEEKLY', 'schedule', '[60,0]', 1760770800000, 60, 1760767200000, 1760166000000, 1760100000000, 1760166000005 FROM profile;
INSERT INTO task_number (tenant_id, last) SELECT id, 1 FROM tenant;
INSERT INTO task_tag (task_id, tag) VALUES (x'01900000000070008000000000000010', 'phone');
INSERT INTO occurrence (id, task_id, due_ms, before_min, snooze, fire_ms, fired_ms, missed, state, server, server_id, shown_ms)
VALUES (x'01900000000070008000000000000011', x'01900000000070008000000000000010', 1760166000000, 0, 0, 1760166000000, 1760166000005, 0, 'shown', ':1.7', 4, 1760166000009);
