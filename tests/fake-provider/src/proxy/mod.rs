//! TCP proxies on loopback that make a network out of it: a slow one, and a broken one.

mod delay;
mod fault;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

pub use self::{
    delay::DelayProxy,
    fault::{Action, Direction, Fault, FaultProxy},
};

/// Connections at once.
const CONNECTIONS_MAX: usize = 1024;
const READ_BYTES: usize = 16 << 10;

fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}
