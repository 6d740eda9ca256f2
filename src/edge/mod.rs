//! The only asynchronous code: sockets, files, timers and the log.
