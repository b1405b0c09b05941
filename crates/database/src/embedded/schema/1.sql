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
