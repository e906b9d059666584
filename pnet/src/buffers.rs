//! Byte buffers that are used again: each thread keeps a few, so that idle connections hold none.
//!
//! A buffer is *taken*, never borrowed, so user code that runs meanwhile (a `Serialize` that sends, a handler that runs
//! another runtime) finds an empty shelf instead of a locked one.

use std::{cell::Cell, thread::LocalKey};

/// A cleared buffer with whatever capacity it had.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    let top = TOP.take();
    if top.capacity() == 0 { take_below() } else { top }
}

/// A cleared buffer for what gathers to be written: one that was used for much before, if there is one. Once for many packets, it
/// stays out of what runs for each.
#[inline(never)]
pub(crate) fn take_large() -> Vec<u8> {
    pop(&LARGE).unwrap_or_else(take)
}

/// A copy that may wait for long: in a buffer that was used before only if that wastes little.
#[inline]
pub(crate) fn keep(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() > SMALL_CAPACITY {
        return bytes.to_vec();
    }
    let mut buffer = TOP.take();
    if buffer.capacity() == 0 || buffer.capacity() > SMALL_CAPACITY {
        TOP.with(|top| top.set(buffer));
        buffer = pop(&SMALL).unwrap_or_default();
    }
    buffer.extend_from_slice(bytes);
    buffer
}

/// Gives a buffer back. Large ones go to the allocator, so that one large packet does not stay in memory for ever.
#[inline]
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_CAPACITY {
        return;
    }
    buffer.clear();
    let below = TOP.replace(buffer);
    if below.capacity() != 0 {
        give_below(below);
    }
}

fn take_below() -> Vec<u8> {
    pop(&LARGE).or_else(|| pop(&SMALL)).unwrap_or_default()
}

fn give_below(buffer: Vec<u8>) {
    if buffer.capacity() > SMALL_CAPACITY {
        push(&LARGE, buffer, LARGE_BUFFERS);
    } else {
        push(&SMALL, buffer, SMALL_BUFFERS);
    }
}

fn pop(shelf: &'static LocalKey<Shelf>) -> Option<Vec<u8>> {
    // One access: `LocalKey::set` is often a call of its own.
    shelf.with(|shelf| {
        let mut buffers = shelf.take();
        let buffer = buffers.pop();
        shelf.set(buffers);
        buffer
    })
}

fn push(shelf: &'static LocalKey<Shelf>, buffer: Vec<u8>, most: usize) {
    shelf.with(|shelf| {
        let mut buffers = shelf.take();
        if buffers.len() < most {
            buffers.push(buffer);
        }
        shelf.set(buffers);
    });
}

/// The thread's read buffer: [`READ_LEN`] initialised bytes.
pub(crate) fn take_read() -> Vec<u8> {
    let buffer = READ.take();
    if buffer.len() == READ_LEN { buffer } else { vec![0; READ_LEN] }
}

/// Gives the read buffer back.
pub(crate) fn give_read(buffer: Vec<u8>) {
    if buffer.len() == READ_LEN {
        READ.with(|read| read.set(buffer));
    }
}

/// Bytes asked for in one read.
pub(crate) const READ_LEN: usize = 64 * 1024;

const KEPT_CAPACITY: usize = 512 * 1024;
const LARGE_BUFFERS: usize = 16;
/// What waits for long does so in one of these, up to 1 MiB in all.
pub(crate) const SMALL_CAPACITY: usize = 4 * 1024;
const SMALL_BUFFERS: usize = 256;

type Shelf = Cell<Vec<Vec<u8>>>;

thread_local! {
    /// The buffer that was given back last: most are taken and given back one at a time.
    static TOP: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static LARGE: Shelf = const { Cell::new(Vec::new()) };
    static SMALL: Shelf = const { Cell::new(Vec::new()) };
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_wait_for_long_does_so_in_a_small_buffer() {
        give(Vec::with_capacity(SMALL_CAPACITY / 2));
        for _ in 0..LARGE_BUFFERS {
            give(Vec::with_capacity(KEPT_CAPACITY));
        }
        for bytes in [&[][..], &[7; 100], &[7; SMALL_CAPACITY]] {
            for _ in 0..4 {
                let kept = keep(bytes);
                assert_eq!(kept, bytes);
                assert!(kept.capacity() <= SMALL_CAPACITY, "{} bytes for {}", kept.capacity(), bytes.len());
            }
        }
    }
}
