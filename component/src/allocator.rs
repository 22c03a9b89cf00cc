//! Where blocks of memory begin: large ones where a cache line does.
//!
//! The kernels read and write 16 bytes at a time. In a block that begins anywhere, every fourth of them may lie across two
//! cache lines, which makes loops that do little else take up to twice as long.

use std::alloc::{GlobalAlloc, Layout, System};

/// Blocks from this size on, in bytes, are large.
const LARGE: usize = 512;
/// Bytes of a cache line.
const LINE: usize = 64;

/// The system's allocator, but for where large blocks begin.
struct LineAllocator;

#[global_allocator]
static ALLOCATOR: LineAllocator = LineAllocator;

/// The layout that is asked of the system: the same for the same layout, so that what was given can be taken back.
fn system_layout(layout: Layout) -> Layout {
    if layout.size() < LARGE { layout } else { layout.align_to(LINE).unwrap_or(layout) }
}

#[allow(unsafe_code)] // An allocator is.
// SAFETY: every call is handed to the system's allocator, with a layout of the same size that is aligned at least as much.
unsafe impl GlobalAlloc for LineAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, and a larger alignment is part of it.
        unsafe { System.alloc(system_layout(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(system_layout(layout)) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: it was given with this layout.
        unsafe { System.dealloc(pointer, system_layout(layout)) }
    }
}
