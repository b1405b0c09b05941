//! Every limit of the service, by name and with its unit. Sources: the quotas and shapes of the AWS KMS API.

/// Customer managed keys per account and Region, in any state.
pub const KEYS_PER_REGION_MAX: u64 = 100_000;
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
