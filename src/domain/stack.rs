//! Room on the stack for what nests as deep as callers write it.

/// What is left at least wherever something nests deeper: many levels' worth, even of code that is not optimised.
const LEFT: usize = 1 << 20;

/// What is added where less is left. Memory is used only as far as it is written to.
const ADDED: usize = 8 << 20;

/// Runs what may nest deeper, on a new stretch of stack where the thread's own is nearly used up. A thread of a server has
/// 2 MiB, and overflowing them ends the whole process, for all callers.
pub fn with_room<R>(work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(LEFT, ADDED, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes 64 KiB for each level.
    fn dig(levels: usize) -> usize {
        let taken = std::hint::black_box([1u8; 64 << 10]);
        let deeper = match levels {
            0 => 0,
            _ => with_room(|| dig(levels - 1)),
        };
        deeper + usize::from(taken[levels % taken.len()])
    }

    #[test]
    fn what_nests_far_deeper_than_a_thread_has_room_for_comes_to_its_end() {
        let small = std::thread::Builder::new().stack_size(2 << 20);
        let dug = small.spawn(|| dig(1_000)).unwrap();
        assert_eq!(dug.join().unwrap(), 1_001);
    }
}
