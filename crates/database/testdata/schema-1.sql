-- A database as schema version 1 wrote it. Never changed: whatever comes later must read it.
-- Times are milliseconds since 1970-01-01T00:00:00Z. What is sealed is described in the book, page "Formats".

-- Rows lie in order of creation; the narrow indexes beside them are in order of time-ordered ids. That makes adding
-- keys some five times cheaper than a tree whose key is an id.
CREATE TABLE keys (
    row INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    version INTEGER NOT NULL,
    due_at INTEGER,
    key_store TEXT,
    external_key TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_by_id ON keys (id, region);
CREATE INDEX keys_by_account ON keys (account, region, id);
CREATE INDEX keys_by_due ON keys (due_at, region, id) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX keys_by_store ON keys (key_store, coalesce(external_key, id)) WHERE key_store IS NOT NULL;

-- Counting rows would take longer the more there are.
CREATE TABLE key_counts (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    customer_keys INTEGER NOT NULL CHECK (customer_keys >= 0),
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_usages (
    key TEXT NOT NULL,
    region TEXT NOT NULL,
    operation TEXT NOT NULL,
    at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (key, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (account, region, name),
    FOREIGN KEY (target, region) REFERENCES keys (id, region)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_target ON aliases (target, region, name);

CREATE TABLE key_stores (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    backing TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    connection TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (account, region, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    row INTEGER PRIMARY KEY,
    region TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    created INTEGER NOT NULL,
    name TEXT,
    grantee TEXT NOT NULL,
    retiring TEXT,
    body TEXT NOT NULL,
    FOREIGN KEY (key, region) REFERENCES keys (id, region)
) STRICT;
CREATE UNIQUE INDEX grants_by_id ON grants (key, region, id);
CREATE INDEX grants_by_grantee ON grants (key, region, grantee, id);
CREATE INDEX grants_by_name ON grants (key, region, name) WHERE name IS NOT NULL;
CREATE INDEX grants_by_retiring ON grants (retiring, region, key, id) WHERE retiring IS NOT NULL;

CREATE TABLE grant_counts (
    key TEXT NOT NULL,
    region TEXT NOT NULL,
    grants INTEGER NOT NULL CHECK (grants >= 0),
    PRIMARY KEY (key, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    active INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Users, groups, roles, policies, providers: what an account has by name. All of them are in memory, so nothing is
-- looked up here.
CREATE TABLE identities (
    account TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, kind, name)
) STRICT, WITHOUT ROWID;

-- An access key without a user is the root's.
CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    user TEXT,
    active INTEGER NOT NULL,
    created INTEGER NOT NULL,
    sealed_secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ring_keys (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Of `trent xks-proxy`, in its own database: a store where the key is empty, else a key of the store.
CREATE TABLE proxy_records (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1951551060;
PRAGMA user_version = 1;
INSERT INTO keys (region, id, account, version, due_at, body) VALUES
    ('eu-central-1', '0199b2c4-7c00-7abc-8def-0123456789ab', '111122223333', 1, NULL,
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","manager":"CUSTOMER","created":1764000000123,"lifecycle":"Enabled","materials":[{"id":"0101010101010101010101010101010101010101010101010101010101010101","created":1764000000123,"sealed":"AQEB"}]}'),
    ('eu-central-1', 'mrk-0199b2c47c007abc8def0123456789ac', '111122223333', 4, 1764604800123,
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","manager":"CUSTOMER","description":"all there is","created":1764000000123,"lifecycle":{"PendingDeletion":{"delete_at":1764604800123,"window_days":7}},"policy":"{\"Version\":\"2012-10-17\",\"Statement\":[]}","tags":{"a":"b","c":""},"schedule":{"period_days":90,"next":1771776000123},"materials":[{"id":"0202020202020202020202020202020202020202020202020202020202020202","created":1764000000123,"sealed":"AgIC"},{"id":"0303030303030303030303030303030303030303030303030303030303030303","created":1764000000128,"rotation":{"at":1764000000128,"kind":"ON_DEMAND"},"sealed":"AwMD"},{"id":"0404040404040404040404040404040404040404040404040404040404040404","created":1764000000129,"rotation":{"at":1764000000129,"kind":"AUTOMATIC"},"sealed":"BAQE"}],"multi_region":{"primary":"us-west-2","replicas":["eu-central-1"]}}'),
    ('us-west-2', 'mrk-0199b2c47c007abc8def0123456789ac', '111122223333', 2, NULL,
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS","manager":"CUSTOMER","created":1764000000123,"lifecycle":{"PendingReplicaDeletion":{"window_days":8}},"materials":[{"id":"0202020202020202020202020202020202020202020202020202020202020202","created":1764000000123,"sealed":"BQUF"}],"multi_region":{"primary":"us-west-2","replicas":["eu-central-1"]}}'),
    ('eu-central-1', '0199b2c4-7c00-7abc-8def-0123456789ad', '111122223333', 3, 1764100000123,
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"EXTERNAL","manager":"CUSTOMER","created":1764000000123,"lifecycle":"PendingImport","materials":[{"id":"0505050505050505050505050505050505050505050505050505050505050505","created":1764000000123,"imported":{"valid_to":1764000000129,"standing":"Associated"}},{"id":"0606060606060606060606060606060606060606060606060606060606060606","created":1764000000128,"imported":{"valid_to":1764100000123,"description":"the next one","standing":"PendingRotation"},"sealed":"BgYG"}]}');
INSERT INTO keys (region, id, account, version, due_at, key_store, external_key, body) VALUES
    ('us-east-1', '0199b2c4-7c00-7abc-8def-0123456789ae', '111122223333', 1, NULL, 'cks-1234567890abcdef0', 'theirs',
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"EXTERNAL_KEY_STORE","manager":"CUSTOMER","created":1764000000123,"lifecycle":"Disabled","materials":[{"id":"0707070707070707070707070707070707070707070707070707070707070707","created":1764000000123,"sealed":"BwcH"}],"in_store":{"store":"cks-1234567890abcdef0","external_key":"theirs"}}'),
    ('us-east-1', '0199b2c4-7c00-7abc-8def-0123456789af', '111122223333', 1, NULL, 'cks-1234567890abcdef1', NULL,
     '{"v":1,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_CLOUDHSM","manager":"CUSTOMER","created":1764000000123,"lifecycle":"Enabled","materials":[],"in_store":{"store":"cks-1234567890abcdef1","hsm_key":"08080808080808080808080808080808"}}');
INSERT INTO key_stores VALUES
    ('cks-1234567890abcdef0', '111122223333', 'us-east-1', 'ours', 1764000000123,
     '{"External":{"endpoint":"https://proxy.example.com","path":"/kms/xks/v1","reach":{"VpcEndpointService":{"name":"com.amazonaws.vpce.us-east-1.vpce-svc-1","owner":"444455556666"}},"credential":{"access_key_id":"ABCDEFGHIJKLMNOPQRST","set":1764000000124}}}',
     x'08', '{"Failed":{"code":"XKS_PROXY_TIMED_OUT"}}', 3, 5),
    ('cks-1234567890abcdef1', '111122223333', 'us-east-1', 'theirs', 1764000000125,
     '{"CloudHsm":{"id":"cluster-234abcdefABC","trust_anchor":"PEM","lineage":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31]}}',
     x'09', '{"Connecting":{"since":1764000000126}}', 1, 2);
INSERT INTO key_counts VALUES ('111122223333', 'us-east-1', 2), ('111122223333', 'eu-central-1', 3), ('111122223333', 'us-west-2', 1);
INSERT INTO last_usages VALUES ('0199b2c4-7c00-7abc-8def-0123456789ab', 'eu-central-1', 'Encrypt', 1764000000500,
    '4f1c1d1e-0000-4000-8000-000000000001', '4f1c1d1e-0000-4000-8000-000000000002');
INSERT INTO aliases VALUES ('111122223333', 'eu-central-1', 'alias/first', '0199b2c4-7c00-7abc-8def-0123456789ab', 1764000000123, 1764000000124);
INSERT INTO grants (region, key, id, account, created, name, grantee, retiring, body) VALUES
    ('eu-central-1', '0199b2c4-7c00-7abc-8def-0123456789ab', '0101010101010101010101010101010101010101010101010101010101010101', '111122223333', 1764000000125, 'orders', 'user:111122223333:AIDABBBBBBBBBBBBBBBBB', 'account:444455556666',
     '{"v":1,"issuer":"444455556666","operations":["Decrypt","CreateGrant"],"equals":{"Dept":"IT"},"source_arn":"arn:aws:rds:us-east-1:111122223333:db:orders"}'),
    ('eu-central-1', '0199b2c4-7c00-7abc-8def-0123456789ab', '0202020202020202020202020202020202020202020202020202020202020202', '111122223333', 1764000000126, NULL, 'session:111122223333:AROAAAAAAAAAAAAAAAAAA:s1', NULL,
     '{"v":1,"issuer":"111122223333","operations":["DescribeKey"],"subset":{}}');
INSERT INTO grant_counts VALUES ('0199b2c4-7c00-7abc-8def-0123456789ab', 'eu-central-1', 2);
INSERT INTO accounts VALUES ('111122223333', 'main', 1);
INSERT INTO identities VALUES
    ('111122223333', 'group', 'admins',
     '{"v":1,"record":{"Group":{"account":"111122223333","name":"admins","path":"/","unique_id":"AGPAAAAAAAAAAAAAAAAAA","created":1764000000123,"rights":{"inline":[{"name":"extra","document":"{}"}]}}}}'),
    ('111122223333', 'oidc-provider', 'https://issuer.example.com',
     '{"v":1,"record":{"OidcProvider":{"account":"111122223333","url":"https://issuer.example.com","client_ids":["sts.amazonaws.com"],"keys":"Discovery","ca":"pem","created":1764000000123}}}'),
    ('111122223333', 'oidc-provider', 'https://other.example.com',
     '{"v":1,"record":{"OidcProvider":{"account":"111122223333","url":"https://other.example.com","client_ids":[],"keys":{"Fixed":"{}"},"created":1764000000123}}}'),
    ('111122223333', 'policy', 'kms-user',
     '{"v":1,"record":{"Policy":{"account":"111122223333","name":"kms-user","path":"/","unique_id":"ANPAAAAAAAAAAAAAAAAAA","created":1764000000123,"document":"{}"}}}'),
    ('111122223333', 'role', 'app',
     '{"v":1,"record":{"Role":{"account":"111122223333","name":"app","path":"/","unique_id":"AROAAAAAAAAAAAAAAAAAA","created":1764000000123,"trust":"{}","max_session_seconds":7200,"revoke_sessions_before":1764000000124,"rights":{},"boundary":"kms-user","tags":{"team":"core"}}}}'),
    ('111122223333', 'user', 'admin',
     '{"v":1,"record":{"User":{"account":"111122223333","name":"admin","path":"/","unique_id":"AIDAAAAAAAAAAAAAAAAAA","status":"Active","created":1764000000123,"rights":{"policies":["aws:AdministratorAccess"]}}}}'),
    ('111122223333', 'user', 'reader',
     '{"v":1,"record":{"User":{"account":"111122223333","name":"reader","path":"/team/","unique_id":"AIDABBBBBBBBBBBBBBBBB","status":"Inactive","created":1764000000124,"groups":["admins"],"rights":{},"boundary":"kms-user","tags":{"a":"b"}}}}');
INSERT INTO access_keys VALUES ('AKIAAAAAAAAAAAAAAAAA', '111122223333', 'admin', 1, 1764000000123, x'0102'),
    ('AKIABBBBBBBBBBBBBBBB', '111122223333', NULL, 0, 1764000000124, x'0304');
INSERT INTO proxy_records VALUES ('store', '', '{"v":1}'), ('store', 'key', '{"v":1,"a":2}');
INSERT INTO ring_keys VALUES ('domain/111122223333/eu-central-1', x'05'), ('import-tokens', x'07'), ('markers', x'06');
INSERT INTO settings VALUES ('root-key-fingerprint', x'000102030405060708090a0b0c0d0e0f');
