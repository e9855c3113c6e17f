//! SIGTERM and SIGINT, heard from the process's first moment on. As process 1 of a container it would not hear them at
//! all otherwise: there the system's default is to ignore them.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::low_level;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// With what a signal ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: it runs until it is told to end.
    Success,
    /// 128 and the signal's number, as shells count: what it was to do is not done.
    Signal,
}

/// While this is in force, a signal ends the process on the spot: there is nothing yet that wants to be closed.
#[derive(Debug)]
pub struct AtOnce(Arc<AtomicBool>);

impl AtOnce {
    /// From now on signals end the process. Errors: the system lets nobody listen.
    pub fn listen(status: Status) -> io::Result<AtOnce> {
        let effective = Arc::new(AtomicBool::new(true));
        for signal in [SIGTERM, SIGINT] {
            let status = match status {
                Status::Success => 0,
                Status::Signal => 128 + signal,
            };
            register_conditional_shutdown(signal, status, Arc::clone(&effective))?;
        }
        Ok(AtOnce(effective))
    }

    /// From now on somebody else hears them.
    pub fn give_up(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// The signals that end a service, one after the other.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Hears them from now on. Errors: the system lets nobody listen.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them; its name.
    pub async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Ends the process with 0 while others of its threads are amid something that cannot be broken off: a question to a
/// broker, sled's recovery. It is as after `kill -9`, from which every start recovers; but an orderly exit would run the
/// libraries' own endings under those threads.
pub fn exit() -> ! {
    low_level::exit(0)
}

/// The same for a service that was told to end and was amid that: with 1, since it did not get to its end.
pub fn exit_at_once() -> ! {
    low_level::exit(1)
}
