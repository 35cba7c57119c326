//! The allocator of a guest. The host restores the memory that configure left after each call, so giving memory back
//! is work for nothing: the next address only moves up, and back when the last block is the one that is freed.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

const PAGE_BYTES: usize = 64 << 10;
/// Bounds what a guest takes, whatever its host would give: a chain adapter's 512 pages.
const HEAP_END_MAX: usize = 512 * PAGE_BYTES;

extern "C" {
    /// Where the linker says that data and stack end.
    static __heap_base: u8;
}

struct Heap {
    /// The first free byte; 0 before the first block.
    next: Cell<usize>,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap { next: Cell::new(0) };

impl Heap {
    fn first_free(&self) -> usize {
        match self.next.get() {
            // SAFETY: only the address is taken.
            0 => unsafe { &__heap_base as *const u8 as usize },
            next => next,
        }
    }

    /// Makes the memory reach to end, or says that it cannot.
    fn grow_to(&self, end: usize) -> bool {
        let have = core::arch::wasm32::memory_size(0) * PAGE_BYTES;
        if end <= have {
            return true;
        }
        let pages = (end - have + PAGE_BYTES - 1) / PAGE_BYTES;
        end <= HEAP_END_MAX && core::arch::wasm32::memory_grow(0, pages) != usize::MAX
    }

    fn is_last(&self, block: *mut u8, size: usize) -> bool {
        block as usize + size == self.next.get()
    }
}

// SAFETY: blocks never overlap: each begins at or behind the end of all live ones. No size or address here overflows:
// a Layout is at most isize::MAX, and addresses stay below HEAP_END_MAX.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = (self.first_free() + layout.align() - 1) & !(layout.align() - 1);
        let end = at + layout.size();
        if !self.grow_to(end) {
            return std::ptr::null_mut();
        }
        self.next.set(end);
        at as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout.size()) {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(block, layout.size()) {
            let end = block as usize + size;
            if !self.grow_to(end) {
                return std::ptr::null_mut();
            }
            self.next.set(end);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller keeps the rules of realloc, which are those of alloc with another size.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks are at least as long as the old one, and the new one lies behind it.
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}

/// Makes room for that many bytes. When the host gives none, a later call may still need less.
pub fn reserve(bytes: usize) {
    HEAP.grow_to(HEAP.first_free() + bytes);
}
