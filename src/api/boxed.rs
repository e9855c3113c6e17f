//! Futures on the heap.

use std::pin::Pin;

/// Puts a future that runs now and then into memory of its own. A reader mostly waits, and what its own future takes is taken ten
/// thousand times.
pub(crate) fn boxed<F: Future>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}
