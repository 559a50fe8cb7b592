//! Giving memory back that a busy hour has left behind.

/// Returns what the allocator keeps for later, on every thread's behalf. glibc alone keeps it;
/// elsewhere there is nothing to do.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(
            unsafe_code,
            reason = "the C library's own call, without a safe wrapper"
        )]
        {
            unsafe extern "C" {
                fn malloc_trim(pad: usize) -> std::ffi::c_int;
            }
            // SAFETY: takes its own locks, and frees nothing that is in use.
            unsafe { malloc_trim(0) };
        }
    }
}
