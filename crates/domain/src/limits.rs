//! Every limit of the service, by name and with its unit. Sources: the quotas and shapes of the AWS KMS API.

/// Customer managed keys per account and Region, in any state.
pub const KEYS_PER_REGION_MAX: u64 = 100_000;
/// Custom key stores per account and Region, of any type and in any state.
pub const KEY_STORES_PER_REGION_MAX: usize = 10;
/// Seconds that an attempt to connect to a cluster of HSMs may take when the operator does not say: 20 minutes, as AWS says.
pub const CLUSTER_CONNECT_SECONDS: u32 = 1_200;
/// Aliases that one key may have.
pub const ALIASES_PER_KEY_MAX: u64 = 50;
/// Tags that one key may have.
pub const TAGS_PER_KEY_MAX: usize = 50;
/// On-demand rotations that one key may have in its life.
pub const ON_DEMAND_ROTATIONS_MAX: usize = 25;
/// Bytes of a key policy document.
pub const POLICY_BYTES_MAX: usize = 32_768;
/// Bytes of an encryption context in its canonical, length-prefixed form.
pub const ENCRYPTION_CONTEXT_BYTES_MAX: usize = 8_192;
/// Days that ScheduleKeyDeletion waits, at least.
pub const DELETION_WINDOW_DAYS_MIN: u32 = 7;
/// Days that ScheduleKeyDeletion waits, at most.
pub const DELETION_WINDOW_DAYS_MAX: u32 = 30;
/// Days that ScheduleKeyDeletion waits when the request does not say.
pub const DELETION_WINDOW_DAYS_DEFAULT: u32 = 30;
/// Days between automatic rotations when the request does not say.
pub const ROTATION_PERIOD_DAYS_DEFAULT: u32 = 365;
/// Minutes before an automatic rotation in which an on-demand one is a conflict.
pub const ROTATION_CONFLICT_MINUTES: u32 = 20;
/// Days from its import in which imported material that expires does so.
pub const IMPORTED_MATERIAL_DAYS_MAX: u32 = 365;
/// Hours in which what GetParametersForImport gives can be used.
pub const IMPORT_PARAMETERS_HOURS: u32 = 24;
/// Access keys that one user may have.
pub const ACCESS_KEYS_PER_USER_MAX: usize = 2;
/// Devices for one-time codes that one user may have.
pub const MFA_DEVICES_PER_USER_MAX: usize = 8;
/// Characters of the name of a device for one-time codes.
pub const MFA_DEVICE_NAME_CHARACTERS_MAX: usize = 226;
/// Characters of the name of a user or a role.
pub const PRINCIPAL_NAME_CHARACTERS_MAX: usize = 64;
/// Characters of the name of a group.
pub const GROUP_NAME_CHARACTERS_MAX: usize = 128;
/// Characters of the name of a managed or an inline policy.
pub const POLICY_NAME_CHARACTERS_MAX: usize = 128;
/// Characters of the path of a user, group, role or policy.
pub const PRINCIPAL_PATH_CHARACTERS_MAX: usize = 512;
/// Characters of the name of a session, at least.
pub const SESSION_NAME_CHARACTERS_MIN: usize = 2;
/// Characters of the name of a session, at most.
pub const SESSION_NAME_CHARACTERS_MAX: usize = 64;
/// Characters of a managed policy, white space not counted.
pub const MANAGED_POLICY_CHARACTERS_MAX: usize = 6_144;
/// Managed policies attached to one principal.
pub const ATTACHED_POLICIES_MAX: usize = 20;
/// Characters of the inline policies of a user together, white space not counted.
pub const USER_INLINE_CHARACTERS_MAX: usize = 2_048;
/// Characters of the inline policies of a group together, white space not counted.
pub const GROUP_INLINE_CHARACTERS_MAX: usize = 5_120;
/// Characters of the inline policies of a role together, white space not counted.
pub const ROLE_INLINE_CHARACTERS_MAX: usize = 10_240;
/// Characters of a trust policy, white space not counted.
pub const TRUST_POLICY_CHARACTERS_MAX: usize = 4_096;
/// Characters of a session policy.
pub const SESSION_POLICY_CHARACTERS_MAX: usize = 2_048;
/// Managed policies named as session policies.
pub const SESSION_POLICY_ARNS_MAX: usize = 10;
/// Bytes that session policies and tags may take together in a session token.
pub const PACKED_POLICY_BYTES_MAX: usize = 4_096;
/// Tags of a user, a role or a session.
pub const TAGS_PER_PRINCIPAL_MAX: usize = 50;
/// Characters of the key of such a tag.
pub const TAG_KEY_CHARACTERS_MAX: usize = 128;
/// Characters of the value of such a tag.
pub const TAG_VALUE_CHARACTERS_MAX: usize = 256;
/// Groups that one user may be in.
pub const GROUPS_PER_USER_MAX: usize = 10;
/// Client ids of one provider of web identities.
pub const CLIENT_IDS_PER_PROVIDER_MAX: usize = 100;
/// Days after which another key seals session tokens.
pub const SESSION_KEY_DAYS: u32 = 30;
/// Seconds that a session lasts, at least.
pub const SESSION_SECONDS_MIN: u32 = 900;
/// Seconds that a session of a role lasts when the request does not say, and at most when the role does not.
pub const ROLE_SESSION_SECONDS_DEFAULT: u32 = 3_600;
/// Seconds that a session of any role may last.
pub const ROLE_SESSION_SECONDS_MAX: u32 = 43_200;
/// Seconds that a session which was begun by a session of a role may last.
pub const CHAINED_SESSION_SECONDS_MAX: u32 = 3_600;
/// Seconds that a user's own session may last.
pub const USER_SESSION_SECONDS_MAX: u32 = 129_600;
/// Seconds that a user's own session lasts when the request does not say.
pub const USER_SESSION_SECONDS_DEFAULT: u32 = 43_200;
/// Seconds that a session of the root may last.
pub const ROOT_SESSION_SECONDS_MAX: u32 = 3_600;
/// Grants that one key may have.
pub const GRANTS_PER_KEY_MAX: u64 = 50_000;
/// Pairs of an encryption context that one constraint of a grant may have.
pub const GRANT_CONSTRAINT_PAIRS_MAX: usize = 8;
/// Characters of one value of such a pair.
pub const GRANT_CONSTRAINT_VALUE_CHARACTERS_MAX: usize = 384;
