//! The binary, run as users run it: real processes, real sockets, real signals.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod dev_clock;
#[cfg(test)]
mod dev_faults;
#[cfg(test)]
mod dev_seed;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod hsm;
#[cfg(test)]
mod hsm_configured;
#[cfg(test)]
mod hsm_keys;
#[cfg(test)]
mod hsm_logins;
#[cfg(test)]
mod hsm_orphans;
#[cfg(test)]
mod hsm_outages;
#[cfg(test)]
mod hsm_quota;
#[cfg(test)]
mod hsm_reload;
#[cfg(test)]
mod hsm_three;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod process;
#[cfg(test)]
mod resolver;
#[cfg(test)]
mod root_key;
#[cfg(test)]
mod root_key_hsm;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transfer;
