//! Giving memory back that a busy hour has left behind.
//!
//! glibc learns from large blocks: after the first long diff it keeps such blocks on its heap, and
//! an idle daemon held 33 MB. With a threshold that stays where it is they go back when they are
//! freed (measured: 2.4 MB), and what small ones leave behind goes back on the tick.

/// Blocks above this come from the system and go back to it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: std::ffi::c_int = 256 * 1024;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "the C library's own calls, without a safe wrapper"
)]
mod allocator {
    use std::ffi::c_int;

    /// `M_MMAP_THRESHOLD` of `malloc.h`.
    const MMAP_THRESHOLD: c_int = -3;

    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> c_int;
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }

    pub(super) fn prepare(large_bytes: c_int) {
        // SAFETY: takes its own locks; a value that it does not like is ignored.
        unsafe { mallopt(MMAP_THRESHOLD, large_bytes) };
    }

    pub(super) fn give_back() {
        // SAFETY: takes its own locks, and frees nothing that is in use.
        unsafe { malloc_trim(0) };
    }
}

/// Before anything large is allocated. Elsewhere than with glibc there is nothing to do.
pub(crate) fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::prepare(LARGE_BYTES);
}

/// Returns what the allocator keeps for later, on every thread's behalf.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::give_back();
}
