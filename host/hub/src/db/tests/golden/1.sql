CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE client (
        client TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, retention_days INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE site (client TEXT NOT NULL, site TEXT NOT NULL, PRIMARY KEY (client, site)) WITHOUT ROWID;
CREATE TABLE device (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, site TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
        assignment TEXT, joined_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX device_by_client ON device (client, device);
CREATE TABLE identity (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, machine TEXT NOT NULL, process TEXT NOT NULL, earlier TEXT NOT NULL,
        cloned_ms INTEGER
    ) WITHOUT ROWID;
CREATE INDEX identity_by_client ON identity (client);
CREATE TABLE tag (
        device TEXT NOT NULL, tag TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (device, tag)
    ) WITHOUT ROWID;
CREATE TABLE token (
        token TEXT PRIMARY KEY, client TEXT NOT NULL, site TEXT NOT NULL, tags TEXT NOT NULL, key TEXT NOT NULL,
        uses_max INTEGER NOT NULL, used INTEGER NOT NULL, needs_accept INTEGER NOT NULL, made_by TEXT NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE document (
        number INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, subject TEXT NOT NULL,
        file TEXT NOT NULL, is_current INTEGER NOT NULL, kept_ms INTEGER NOT NULL, bytes BLOB NOT NULL
    );
CREATE INDEX document_by_file ON document (file);
CREATE INDEX document_by_subject ON document (kind, subject) WHERE is_current;
CREATE TABLE document_client (
        digest TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (digest, client)
    ) WITHOUT ROWID;
CREATE INDEX document_client_by_client ON document_client (client);
CREATE TABLE mailbox (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, revision INTEGER NOT NULL, changed_ms INTEGER NOT NULL, bytes BLOB NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE named (
        device TEXT NOT NULL, file TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (device, file)
    ) WITHOUT ROWID;
CREATE TABLE orders (
        digest TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, signer TEXT NOT NULL, plugin TEXT NOT NULL, mode TEXT NOT NULL,
        signed_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, kept_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE TABLE ring (
        digest TEXT NOT NULL, ring INTEGER NOT NULL, devices INTEGER NOT NULL, root TEXT NOT NULL, PRIMARY KEY (digest, ring)
    ) WITHOUT ROWID;
CREATE TABLE part (
        digest TEXT NOT NULL, client TEXT NOT NULL, size INTEGER NOT NULL, kept_ms INTEGER NOT NULL, PRIMARY KEY (digest, client)
    ) WITHOUT ROWID;
CREATE INDEX part_by_client ON part (client);
CREATE TABLE part_bytes (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE rollout (
        digest TEXT PRIMARY KEY, file TEXT NOT NULL, parcel TEXT, state TEXT NOT NULL, expires_ms INTEGER NOT NULL,
        begun_ms INTEGER NOT NULL, ended_ms INTEGER, version INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX rollout_that_runs ON rollout (digest) WHERE state = 'running';
CREATE TABLE rollout_ring (
        digest TEXT NOT NULL, ring INTEGER NOT NULL, devices INTEGER NOT NULL, opened_ms INTEGER, certificate TEXT,
        well INTEGER NOT NULL, failed INTEGER NOT NULL, refused INTEGER NOT NULL, aside INTEGER NOT NULL,
        suspended INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (digest, ring)
    ) WITHOUT ROWID;
CREATE TABLE rollout_part (digest TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (digest, part)) WITHOUT ROWID;
CREATE INDEX rollout_part_by_part ON rollout_part (part);
CREATE TABLE seat (
        digest TEXT NOT NULL, device TEXT NOT NULL, client TEXT NOT NULL, ring INTEGER NOT NULL, leaf INTEGER NOT NULL,
        path BLOB NOT NULL, is_drawn INTEGER NOT NULL, comes TEXT, sequence INTEGER NOT NULL, result TEXT NOT NULL,
        ended_ms INTEGER NOT NULL, PRIMARY KEY (digest, device)
    ) WITHOUT ROWID;
CREATE INDEX seat_by_device ON seat (device);
CREATE INDEX seat_by_ring ON seat (digest, ring, leaf);
CREATE INDEX seat_by_client ON seat (client);
CREATE INDEX seat_that_is_drawn ON seat (digest, ring) WHERE is_drawn;
CREATE TABLE reached (
        digest TEXT NOT NULL, device TEXT NOT NULL, client TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (digest, device)
    ) WITHOUT ROWID;
CREATE INDEX reached_by_time ON reached (at_ms);
CREATE TABLE stale (device TEXT PRIMARY KEY, client TEXT NOT NULL, mark INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE message (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, spool TEXT NOT NULL,
        sequence INTEGER NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, received_ms INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE (device, spool, sequence)
    );
CREATE INDEX message_by_client ON message (client, received_ms);
CREATE INDEX message_that_is_a_record ON message (digest, device) WHERE kind = 'record';
CREATE TABLE result (
        number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, client TEXT NOT NULL, device TEXT NOT NULL,
        ordered TEXT NOT NULL, run TEXT, attempt INTEGER NOT NULL, outcome TEXT NOT NULL, verdict TEXT NOT NULL, refused TEXT,
        mode TEXT NOT NULL, sequence INTEGER NOT NULL, record TEXT NOT NULL, ended_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL
    );
CREATE INDEX result_by_order ON result (ordered, device, number);
CREATE INDEX result_in_order ON result (ordered, number);
CREATE INDEX result_by_device ON result (device, sequence);
CREATE INDEX result_by_client ON result (client, received_ms);
CREATE TABLE fact (
        device TEXT NOT NULL, name TEXT NOT NULL, client TEXT NOT NULL, value TEXT NOT NULL, changed_ms INTEGER NOT NULL,
        PRIMARY KEY (device, name)
    ) WITHOUT ROWID;
CREATE TABLE fact_change (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
        before TEXT, after TEXT, at_ms INTEGER NOT NULL
    );
CREATE INDEX fact_change_by_device ON fact_change (device, number);
CREATE INDEX fact_change_by_client ON fact_change (client, at_ms);
CREATE TABLE holder (
        number INTEGER PRIMARY KEY, device TEXT NOT NULL UNIQUE, client TEXT NOT NULL, seen_ms INTEGER NOT NULL,
        since_ms INTEGER NOT NULL, changes INTEGER NOT NULL
    );
CREATE INDEX holder_by_client ON holder (client);
CREATE TABLE item (
        item INTEGER PRIMARY KEY, client TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, cells TEXT NOT NULL,
        UNIQUE (client, digest)
    );
CREATE INDEX item_by_client ON item (client, name);
CREATE TABLE held (number INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (number, item)) WITHOUT ROWID;
CREATE INDEX held_by_item ON held (item, number);
CREATE TABLE ticket (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, key TEXT NOT NULL,
        origin TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, priority INTEGER NOT NULL,
        title TEXT NOT NULL, body TEXT NOT NULL, times INTEGER NOT NULL, assignee TEXT, resolution TEXT,
        is_replied INTEGER NOT NULL, opened_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, UNIQUE (device, origin)
    );
CREATE INDEX ticket_by_client ON ticket (client, number);
CREATE INDEX ticket_by_age ON ticket (client, changed_ms) WHERE state = 'closed';
CREATE INDEX ticket_by_key ON ticket (device, key);
CREATE INDEX ticket_by_device ON ticket (device, opened_ms);
CREATE INDEX ticket_that_is_open ON ticket (device) WHERE state = 'open';
CREATE TABLE ticket_note (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, ticket INTEGER NOT NULL, entry INTEGER,
        by TEXT NOT NULL, visibility TEXT NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL, UNIQUE (ticket, entry)
    );
CREATE INDEX ticket_note_by_client ON ticket_note (client);
CREATE TABLE kv (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, plugin TEXT NOT NULL,
        key TEXT NOT NULL, bytes INTEGER NOT NULL, value TEXT, here_bytes INTEGER NOT NULL, written_ms INTEGER NOT NULL,
        expires_ms INTEGER, UNIQUE (device, client, plugin, key)
    );
CREATE INDEX kv_by_size ON kv (device, here_bytes);
CREATE INDEX kv_by_client ON kv (client);
CREATE TABLE secret (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
        serial INTEGER NOT NULL, digest TEXT NOT NULL, places TEXT NOT NULL, by TEXT NOT NULL, set_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL, is_gone INTEGER NOT NULL, held_serial INTEGER, UNIQUE (device, name)
    );
CREATE INDEX secret_by_client ON secret (client, number);
CREATE INDEX secret_by_end ON secret (expires_ms);
CREATE TABLE notification (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, key TEXT NOT NULL,
        body TEXT NOT NULL, at_ms INTEGER NOT NULL, audience TEXT NOT NULL, source TEXT NOT NULL, message TEXT NOT NULL,
        state TEXT NOT NULL, tries INTEGER NOT NULL, due_ms INTEGER NOT NULL, problem TEXT NOT NULL, UNIQUE (device, key)
    );
CREATE INDEX notification_that_waits ON notification (device, audience, number) WHERE state = 'waiting';
CREATE INDEX notification_by_device ON notification (device, at_ms);
CREATE INDEX notification_by_client ON notification (client, at_ms);
CREATE TABLE audit (
        number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, previous TEXT NOT NULL,
        digest TEXT NOT NULL
    );
CREATE TABLE audit_detail (
        number INTEGER PRIMARY KEY, client TEXT, actor TEXT NOT NULL, salt TEXT NOT NULL, body TEXT NOT NULL
    );
CREATE INDEX audit_detail_by_client ON audit_detail (client);
INSERT INTO client VALUES ('acme', 1000, 365);
INSERT INTO client VALUES ('globex', 1000, 365);
INSERT INTO site VALUES ('acme', 'berlin');
INSERT INTO site VALUES ('acme', 'secret-of-acme');
INSERT INTO site VALUES ('globex', 'berlin');
INSERT INTO site VALUES ('globex', 'secret-of-globex');
INSERT INTO device VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 'secret-of-globex', 'key secret-of-globex', 'member', 'secret-of-globex', 1000);
INSERT INTO device VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 'secret-of-acme', 'key secret-of-acme', 'member', 'secret-of-acme', 1000);
INSERT INTO identity VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 'secret-of-globex', 'secret-of-globex', '[]', NULL);
INSERT INTO identity VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 'secret-of-acme', 'secret-of-acme', '[]', NULL);
INSERT INTO tag VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'secret-of-globex', 'globex');
INSERT INTO tag VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'secret-of-acme', 'acme');
INSERT INTO token VALUES ('token-acme', 'acme', 'berlin', '["secret-of-acme"]', 'key secret-of-acme', 2, 0, 0, 'tess', 1000, 10000);
INSERT INTO token VALUES ('token-globex', 'globex', 'berlin', '["secret-of-globex"]', 'key secret-of-globex', 2, 0, 0, 'tess', 1000, 10000);
INSERT INTO document VALUES (1, 'digest-policy-acme', 'policy', 'acme', 'sha256:c44049f744123b037c9a2c1f2abbfd697fc28284204b72524ffe1f5deb8d3968', 1, 1000, X'7B22636C69656E74223A2261636D65222C2274657874223A227365637265742D6F662D61636D65227D');
INSERT INTO document VALUES (2, 'digest-order-acme', 'order', '', 'sha256:c44049f744123b037c9a2c1f2abbfd697fc28284204b72524ffe1f5deb8d3968', 1, 1000, X'7B22636C69656E74223A2261636D65222C2274657874223A227365637265742D6F662D61636D65227D');
INSERT INTO document VALUES (3, 'digest-secret-acme', 'secret', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'sha256:c44049f744123b037c9a2c1f2abbfd697fc28284204b72524ffe1f5deb8d3968', 1, 3000, X'7B22636C69656E74223A2261636D65222C2274657874223A227365637265742D6F662D61636D65227D');
INSERT INTO document VALUES (4, 'digest-policy-globex', 'policy', 'globex', 'sha256:ac8b172e3ad5200c48c3ac4e64bec7404eb93e02d7053842de00570b332a4b9c', 1, 1000, X'7B22636C69656E74223A22676C6F626578222C2274657874223A227365637265742D6F662D676C6F626578227D');
INSERT INTO document VALUES (5, 'digest-order-globex', 'order', '', 'sha256:ac8b172e3ad5200c48c3ac4e64bec7404eb93e02d7053842de00570b332a4b9c', 1, 1000, X'7B22636C69656E74223A22676C6F626578222C2274657874223A227365637265742D6F662D676C6F626578227D');
INSERT INTO document VALUES (6, 'digest-secret-globex', 'secret', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'sha256:ac8b172e3ad5200c48c3ac4e64bec7404eb93e02d7053842de00570b332a4b9c', 1, 3000, X'7B22636C69656E74223A22676C6F626578222C2274657874223A227365637265742D6F662D676C6F626578227D');
INSERT INTO document_client VALUES ('digest-order-acme', 'acme');
INSERT INTO document_client VALUES ('digest-order-globex', 'globex');
INSERT INTO document_client VALUES ('digest-policy-acme', 'acme');
INSERT INTO document_client VALUES ('digest-policy-globex', 'globex');
INSERT INTO document_client VALUES ('digest-secret-acme', 'acme');
INSERT INTO document_client VALUES ('digest-secret-globex', 'globex');
INSERT INTO mailbox VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 1, 1000, X'7365637265742D6F662D676C6F626578');
INSERT INTO mailbox VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 1, 1000, X'7365637265742D6F662D61636D65');
INSERT INTO named VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'secret-of-globex', 'globex');
INSERT INTO named VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'secret-of-acme', 'acme');
INSERT INTO orders VALUES ('digest-order-acme', 'order-acme', 'secret-of-acme', 'secret-of-acme', 'enforce', 1000, 1000, 50000, 1000);
INSERT INTO orders VALUES ('digest-order-globex', 'order-globex', 'secret-of-globex', 'secret-of-globex', 'enforce', 1000, 1000, 50000, 1000);
INSERT INTO ring VALUES ('digest-order-acme', 0, 1, 'secret-of-acme');
INSERT INTO ring VALUES ('digest-order-acme', 1, 1, 'secret-of-acme');
INSERT INTO ring VALUES ('digest-order-globex', 0, 1, 'secret-of-globex');
INSERT INTO ring VALUES ('digest-order-globex', 1, 1, 'secret-of-globex');
INSERT INTO part VALUES ('sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23', 'globex', 16, 1000);
INSERT INTO part VALUES ('sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2', 'acme', 14, 1000);
INSERT INTO part_bytes VALUES ('sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23', X'7365637265742D6F662D676C6F626578');
INSERT INTO part_bytes VALUES ('sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2', X'7365637265742D6F662D61636D65');
INSERT INTO rollout VALUES ('digest-order-acme', 'sha256:c44049f744123b037c9a2c1f2abbfd697fc28284204b72524ffe1f5deb8d3968', 'sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2', 'running', 50000, 1000, NULL, 3);
INSERT INTO rollout VALUES ('digest-order-globex', 'sha256:ac8b172e3ad5200c48c3ac4e64bec7404eb93e02d7053842de00570b332a4b9c', 'sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23', 'running', 50000, 1000, NULL, 3);
INSERT INTO rollout_ring VALUES ('digest-order-acme', 0, 1, 1000, NULL, 1, 0, 0, 0, 0, 2000);
INSERT INTO rollout_ring VALUES ('digest-order-globex', 0, 1, 1000, NULL, 1, 0, 0, 0, 0, 2000);
INSERT INTO rollout_part VALUES ('digest-order-acme', 'sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2');
INSERT INTO rollout_part VALUES ('digest-order-globex', 'sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23');
INSERT INTO seat VALUES ('digest-order-acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 0, 0, X'70617468', 1, 'well', 1, 'digest-result-acme', 2000);
INSERT INTO seat VALUES ('digest-order-globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 0, 0, X'70617468', 1, 'well', 1, 'digest-result-globex', 2000);
INSERT INTO reached VALUES ('digest-order-acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 1000);
INSERT INTO reached VALUES ('digest-order-globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 1000);
INSERT INTO stale VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 3);
INSERT INTO stale VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 3);
INSERT INTO message VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', '00000000000000aa', 1, 'result', 'sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2', 2000, X'7365637265742D6F662D61636D65');
INSERT INTO message VALUES (2, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', '00000000000000aa', 2, 'record', 'sha256:a350aa34bafeb5432544ced04ca4343b2a46d239ceb8f0f4ba9e71a7d307feb2', 2000, X'7365637265742D6F662D61636D65');
INSERT INTO message VALUES (3, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', '00000000000000aa', 1, 'result', 'sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23', 2000, X'7365637265742D6F662D676C6F626578');
INSERT INTO message VALUES (4, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', '00000000000000aa', 2, 'record', 'sha256:85c466f30f550023d1cf551e4e19907442fb9d69a04cb7897de60cc0377c4f23', 2000, X'7365637265742D6F662D676C6F626578');
INSERT INTO result VALUES (1, 'digest-result-acme', 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'digest-order-acme', 'secret-of-acme', 1, 'completed', 'fixed', NULL, 'enforce', 1, 'secret-of-acme', 2000, 2000);
INSERT INTO result VALUES (3, 'digest-result-globex', 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'digest-order-globex', 'secret-of-globex', 1, 'completed', 'fixed', NULL, 'enforce', 1, 'secret-of-globex', 2000, 2000);
INSERT INTO fact VALUES ('5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'os', 'globex', '["secret-of-globex"]', 3000);
INSERT INTO fact VALUES ('822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'os', 'acme', '["secret-of-acme"]', 3000);
INSERT INTO fact_change VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'os', NULL, '"secret-of-acme"', 2000);
INSERT INTO fact_change VALUES (2, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'os', '"secret-of-acme"', '["secret-of-acme"]', 3000);
INSERT INTO fact_change VALUES (3, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'os', NULL, '"secret-of-globex"', 2000);
INSERT INTO fact_change VALUES (4, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'os', '"secret-of-globex"', '["secret-of-globex"]', 3000);
INSERT INTO holder VALUES (1, '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'acme', 3000, 3000, 1);
INSERT INTO holder VALUES (2, '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'globex', 3000, 3000, 1);
INSERT INTO item VALUES (1, 'acme', 'deb_packages', X'9D079D418BDB74388CF239D0B96874DD', '{"name":"secret-of-acme"}');
INSERT INTO item VALUES (2, 'globex', 'deb_packages', X'11891AC192D6417578024D50AA410447', '{"name":"secret-of-globex"}');
INSERT INTO held VALUES (1, 1);
INSERT INTO held VALUES (2, 2);
INSERT INTO ticket VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'disks/full', 'tkt_1', 1, 'open', 'warning', 3, 'secret-of-acme', 'secret-of-acme', 1, NULL, NULL, 0, 3000, 3000);
INSERT INTO ticket VALUES (2, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'disks/full', 'tkt_1', 1, 'open', 'warning', 3, 'secret-of-globex', 'secret-of-globex', 1, NULL, NULL, 0, 3000, 3000);
INSERT INTO ticket_note VALUES (1, 'acme', 1, 2, 'secret-of-acme', 'internal', 'secret-of-acme', 3000);
INSERT INTO ticket_note VALUES (2, 'globex', 2, 2, 'secret-of-globex', 'internal', 'secret-of-globex', 3000);
INSERT INTO kv VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'disks', 'secret-of-acme', 1, 'secret-of-acme', 14, 3000, NULL);
INSERT INTO kv VALUES (2, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'disks', 'secret-of-globex', 1, 'secret-of-globex', 16, 3000, NULL);
INSERT INTO secret VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'halo-token', 1, 'digest-secret-acme', '["secret-of-acme"]', 'secret-of-acme', 3000, 9223372036854775807, 0, NULL);
INSERT INTO secret VALUES (2, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'halo-token', 1, 'digest-secret-globex', '["secret-of-globex"]', 'secret-of-globex', 3000, 9223372036854775807, 0, NULL);
INSERT INTO notification VALUES (1, 'acme', '822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757', 'told', 'secret-of-acme', 3000, 'on-call', 'secret-of-acme', 'secret-of-acme', 'waiting', 0, 3000, '');
INSERT INTO notification VALUES (2, 'globex', '5bc1a08d28e40fe79ca3ecb077b3bd14ff00df9bad0c4a0d74ecd0805ecf0b1f', 'told', 'secret-of-globex', 3000, 'on-call', 'secret-of-globex', 'secret-of-globex', 'waiting', 0, 3000, '');
INSERT INTO audit VALUES (1, 3000, 'tested', 'sha256:3e02ac3575bbb51f46f9b819630f5a58281230356a3a36f78382e64b7b825319', 'none', 'sha256:a7d1c50990ff9edb7e363a469ddc5019d20478f72ff95d738577fcc91d137ac3');
INSERT INTO audit VALUES (2, 3000, 'tested', 'sha256:1dfcac55d8c5052a090304f4ae87e3a39cfa15e5ddd2b0d6ccd9e3f30c31ebcb', 'sha256:a7d1c50990ff9edb7e363a469ddc5019d20478f72ff95d738577fcc91d137ac3', 'sha256:2f88dcfcba0ef1b2eb4645effe90b96a9f6afb3f62fefa421ff7611164649c30');
INSERT INTO audit_detail VALUES (1, 'acme', 'technician secret-of-acme secret-of-acme', 'be2fb0ecd19746ff6b24ff853171acc4', '{"text":"secret-of-acme"}');
INSERT INTO audit_detail VALUES (2, 'globex', 'technician secret-of-globex secret-of-globex', '77260c4c6bdca20bf53ea01a971923b8', '{"text":"secret-of-globex"}');
