//! CPU time, in the scheduler's nanoseconds.

use std::fs;
use std::time::Duration;

use crate::Done;

/// What all threads of a process have used so far. Of a thread that runs at this moment the last
/// tick may be missing: ask while it waits.
pub(crate) fn of_process(id: u32) -> Done<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let account = fs::read_to_string(thread?.path().join("schedstat"))?;
        total += on_cpu(&account)?;
    }
    Ok(total)
}

/// What this thread has used so far.
pub(crate) fn of_this_thread() -> Done<Duration> {
    // Has the scheduler bring its account up to date.
    std::thread::yield_now();
    on_cpu(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

fn on_cpu(account: &str) -> Done<Duration> {
    let first = account.split_whitespace().next().ok_or("the scheduler's account is empty")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// The memory that a process has resident, in KiB.
pub(crate) fn resident(id: u32) -> Done<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.split_whitespace().next());
    Ok(size.ok_or("the system does not say how much memory is resident")?.parse()?)
}
