//! The daemon's one timer: a descriptor that wakes the event loop once, where a timer of the
//! runtime would wake it once more for each level of its wheel.

use std::{io, time::Duration};

#[cfg(target_os = "linux")]
mod timer {
    use super::{Duration, io};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::OwnedFd;
    use tokio::io::{Interest, unix::AsyncFd};

    /// Fires once for each time it is set. Time during which the machine slept counts.
    pub(crate) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        /// One that is not set. Needs a runtime.
        #[expect(
            unsafe_code,
            reason = "the runtime's only way to wait for a descriptor"
        )]
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Boottime, flags)?;
            // SAFETY: the descriptor is owned by the value that is registered.
            let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
            Ok(Self(registered?))
        }

        /// Sets it, again if it was set.
        pub(crate) fn set(&mut self, after: Duration) -> io::Result<()> {
            let after = after.max(Duration::from_millis(1));
            let zero = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let value = Timespec {
                tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: after.subsec_nanos().into(),
            };
            let spec = Itimerspec {
                it_interval: zero,
                it_value: value,
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }

        /// Waits until it fires.
        pub(crate) async fn fired(&mut self) -> io::Result<()> {
            loop {
                let mut ready = self.0.readable().await?;
                let mut count = [0; 8];
                match rustix::io::read(self.0.get_ref(), &mut count) {
                    Ok(_) => return Ok(()),
                    Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use super::{Duration, io};
    use tokio::time::{Instant, sleep_until};

    /// Fires once for each time it is set.
    pub(crate) struct Timer(Option<Instant>);

    impl Timer {
        /// One that is not set.
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(None))
        }

        /// Sets it, again if it was set.
        pub(crate) fn set(&mut self, after: Duration) -> io::Result<()> {
            self.0 = Some(Instant::now() + after);
            Ok(())
        }

        /// Waits until it fires.
        pub(crate) async fn fired(&mut self) -> io::Result<()> {
            match self.0 {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
            self.0 = None;
            Ok(())
        }
    }
}

pub(crate) use timer::Timer;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_fires_once_for_each_time_it_is_set() {
        let mut timer = Timer::new().unwrap();
        timer.set(Duration::from_millis(5)).unwrap();
        timer.fired().await.unwrap();
        let again = tokio::time::timeout(Duration::from_millis(30), timer.fired()).await;
        assert!(again.is_err());
        timer.set(Duration::ZERO).unwrap();
        timer.fired().await.unwrap();
    }
}
