//! How many files and connections the process may have open at once.

/// Raises the limit on open descriptors as far as the system lets this process, and returns it. `None` where there is
/// no such limit, or it cannot be known.
pub fn raise() -> Option<u64> {
    #[cfg(unix)]
    {
        let before = rlimit::Resource::NOFILE.get_soft().ok()?;
        let limit = match rlimit::increase_nofile_limit(u64::MAX) {
            Ok(limit) => limit,
            Err(error) => {
                tracing::debug!("the limit on open descriptors stays {before}: {error}");
                before
            }
        };
        if limit != before {
            tracing::debug!("the limit on open descriptors was raised from {before} to {limit}");
        }
        Some(limit)
    }
    #[cfg(not(unix))]
    None
}
