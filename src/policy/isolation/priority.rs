//! How far isolated threads stand back behind those that serve.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::thread::CpuSet;

/// Names a thread of this process.
#[cfg(target_os = "linux")]
pub(in crate::policy) type ThreadId = rustix::process::Pid;
#[cfg(not(target_os = "linux"))]
pub(in crate::policy) type ThreadId = ();

/// With others that want all of the processor, an isolated thread gets about a tenth. Less, and an honest question that
/// takes long would be denied on a busy machine for time that it never got.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The name of the calling thread.
pub(in crate::policy) fn this_thread() -> ThreadId {
    #[cfg(target_os = "linux")]
    rustix::thread::gettid()
}

/// Has a thread stand back behind those that serve.
pub(in crate::policy) fn yield_to_others(thread: ThreadId) {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = rustix::process::setpriority_process(Some(thread), NICE) {
            tracing::warn!(%error, "can't lower the priority of isolated evaluations");
        }
        // Priority alone is not enough: Linux lets a thread end its slice of some milliseconds before one of a higher
        // priority that woke up. So half of the processors stay free of these.
        if let Some(half) = half()
            && let Err(error) = rustix::thread::sched_setaffinity(Some(thread), half)
        {
            tracing::debug!(%error, "can't keep isolated evaluations to half of the processors");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let () = thread;
}

/// The processor's time that a living thread has used; `None` where the system does not say.
#[cfg_attr(not(target_os = "linux"), allow(clippy::missing_const_for_fn))]
pub(in crate::policy) fn processor_time(thread: ThreadId) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let path = format!("/proc/self/task/{}/schedstat", thread.as_raw_nonzero());
        let nanoseconds = std::fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let () = thread;
        None
    }
}

/// Half of the processors that this process may use, at least one; `None` where there is only one, or no saying.
#[cfg(target_os = "linux")]
fn half() -> Option<&'static CpuSet> {
    static HALF: OnceLock<Option<CpuSet>> = OnceLock::new();
    let compute = || {
        // Of the first thread of the process, as the calling one may have been limited already.
        let all = rustix::thread::sched_getaffinity(Some(rustix::process::getpid())).ok()?;
        let half = all.count() / 2;
        let mut set = CpuSet::new();
        let mut skip = all.count() - half;
        for processor in (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor)) {
            if skip > 0 {
                skip -= 1;
            } else {
                set.set(processor);
            }
        }
        (half > 0).then_some(set)
    };
    HALF.get_or_init(compute).as_ref()
}
