//! An allocator that counts what one thread asks of it.
//!
//! The thread that called [`begin`] is counted until it calls [`end`], others are not. The first few calls leave their
//! backtraces, so that a test that fails says where. The only unsafe code of the project: it hands every call on to the
//! system's allocator as it came.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

/// What a thread has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// New blocks.
    pub allocated: u64,
    /// Blocks that had to grow or shrink.
    pub resized: u64,
    pub freed: u64,
}

/// Backtraces that are kept, at most.
const TRACES_MAX: usize = 8;

thread_local! {
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<Calls> = const { Cell::new(Calls { allocated: 0, resized: 0, freed: 0 }) };
    static TRACES: RefCell<Vec<Backtrace>> = const { RefCell::new(Vec::new()) };
}

/// From now on this thread is counted, beginning with zero.
pub fn begin() {
    CALLS.set(Calls::default());
    TRACES.take();
    IS_COUNTED.set(true);
}

/// What the thread has asked for since [`begin`], and where the first calls came from.
pub fn end() -> (Calls, Vec<Backtrace>) {
    IS_COUNTED.set(false);
    (CALLS.get(), TRACES.take())
}

fn note(count: impl FnOnce(&mut Calls)) {
    // A backtrace allocates, and is not counted itself.
    if !IS_COUNTED.replace(false) {
        return;
    }
    let mut calls = CALLS.get();
    count(&mut calls);
    CALLS.set(calls);
    // At the end of the thread they are gone already.
    let _ = TRACES.try_with(|traces| {
        let mut traces = traces.borrow_mut();
        if traces.len() < TRACES_MAX {
            traces.push(Backtrace::force_capture());
        }
    });
    IS_COUNTED.set(true);
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes on to `System` with the arguments that came, and what it returns comes back unchanged. `note` does
// not unwind: what it touches is there, or is not touched, and it never calls itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(|calls| calls.allocated += 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(|calls| calls.allocated += 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(|calls| calls.resized += 1);
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(|calls| calls.freed += 1);
        unsafe { System.dealloc(block, layout) }
    }
}
