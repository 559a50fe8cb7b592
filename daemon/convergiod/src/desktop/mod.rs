//! The desktop around us, over D-Bus: who we are to others, sleep, battery, network. Everything
//! here is optional: where a bus or a service is missing, the daemon is quiet and goes on.

pub(crate) mod bus;
pub(crate) mod held;

use bus::Bus;

use crate::surroundings::Buses;

/// The connections to the desktop.
pub(crate) struct Desktop {
    /// The user's bus.
    pub(crate) session: Bus,
    /// The machine's bus.
    pub(crate) system: Bus,
}

impl Desktop {
    /// Nothing is opened yet.
    pub(crate) fn new(buses: &Buses) -> Self {
        Self {
            session: Bus::new("session", buses.session.clone()),
            system: Bus::new("system", buses.system.clone()),
        }
    }
}
