//! A bus of the test's own, and mocked services on it.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use zbus::{
    Connection,
    zvariant::{OwnedValue, Value},
};

use crate::harness::{home::Home, process::LIMIT, skip};

/// The Python that has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

/// Whether services can be mocked here; said loudly where not.
pub fn can_mock(what: &str) -> bool {
    let mocks = Command::new(PYTHON)
        .args(["-c", "import dbusmock"])
        .stderr(Stdio::null())
        .status();
    let there = mocks.is_ok_and(|status| status.success());
    if !there {
        skip::loudly(what, "python3-dbusmock");
    }
    there && has_bus(what)
}

/// Whether there can be a bus here; said loudly where not.
pub fn has_bus(what: &str) -> bool {
    let there = skip::has_program("dbus-daemon");
    if !there {
        skip::loudly(what, "dbus-daemon");
    }
    there
}

/// A bus on which nothing starts by itself. Ends when it is dropped.
pub struct Bus {
    broker: Child,
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl Bus {
    /// In this home's folder, under this name.
    pub fn start(home: &Home, name: &str) -> Self {
        let folder = home.everything();
        let socket = folder.join(name);
        let config = folder.join(format!("{name}.conf"));
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen>\n\
             <policy context=\"default\"><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>",
            socket.display()
        );
        std::fs::write(&config, text).expect("a configuration");
        let mut broker = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let mut line = String::new();
        let output = broker.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("an address");
        assert!(line.starts_with("unix:"), "{line}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let address = format!("unix:path={}", socket.display());
        let connection = runtime.block_on(async {
            let builder = zbus::connection::Builder::address(address.as_str());
            builder.expect("an address").build().await
        });
        Self {
            broker,
            socket,
            runtime,
            connection: connection.expect("the bus answers"),
        }
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket.display())
    }

    /// Runs something on the test's own connection, within the limit.
    pub fn on<T>(&self, work: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> T {
        let within = async { tokio::time::timeout(LIMIT, work(&self.connection)).await };
        let done = self.runtime.block_on(within).expect("in time");
        done.expect("the bus answers")
    }

    /// Calls and gives the answer's body, or what went wrong.
    pub fn call<A, T>(
        &self,
        (service, path, interface): (&str, &str, &str),
        method: &str,
        arguments: &A,
    ) -> zbus::Result<T>
    where
        A: serde::Serialize + zbus::zvariant::DynamicType,
        T: for<'d> zbus::zvariant::DynamicDeserialize<'d> + 'static,
    {
        self.on(async |bus| {
            let answer = bus
                .call_method(Some(service), path, Some(interface), method, arguments)
                .await;
            Ok(answer.and_then(|answer| answer.body().deserialize()))
        })
    }

    /// Waits until somebody has this name.
    pub fn has_name(&self, name: &str) {
        use futures_util::StreamExt;

        self.on(async |bus| {
            let broker = zbus::fdo::DBusProxy::new(bus).await?;
            let mut owners = broker
                .receive_name_owner_changed_with_args(&[(0, name)])
                .await?;
            let known = zbus::names::BusName::try_from(name)?;
            while !broker.name_has_owner(known.clone()).await? {
                owners.next().await;
            }
            Ok(())
        });
    }

    /// Asks again and again, each time with an answer of the bus, until it fits.
    pub fn until<T>(&self, ask: impl Fn(&Self) -> T, fits: impl Fn(&T) -> bool) -> T {
        let begun = std::time::Instant::now();
        loop {
            let answer = ask(self);
            if fits(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < LIMIT, "it never came to be so");
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.broker.kill();
        let _ = self.broker.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A mocked service. Ends when it is dropped.
pub struct Mock(Child);

impl Mock {
    /// From a template of python-dbusmock: `logind`, `upower`, `networkmanager`.
    pub fn start(bus: &Bus, template: &str, name: &str) -> Self {
        let child = Command::new(PYTHON)
            .args(["-m", "dbusmock", "--template", template])
            .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbusmock starts");
        let mock = Self(child);
        bus.has_name(name);
        mock
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sets a property of a mocked service, which tells everybody.
pub fn set(bus: &Bus, place: (&str, &str, &str), property: &str, value: Value<'_>) {
    let (service, path, interface) = place;
    let mock = (service, path, "org.freedesktop.DBus.Mock");
    let mut properties = std::collections::HashMap::new();
    properties.insert(property, value);
    bus.call::<_, ()>(mock, "UpdateProperties", &(interface, properties))
        .expect("a mock");
}

/// Has a mocked service send a signal.
pub fn emit(bus: &Bus, place: (&str, &str, &str), signal: &str, signature: &str, value: bool) {
    let (service, path, interface) = place;
    let mock = (service, path, "org.freedesktop.DBus.Mock");
    let arguments = vec![OwnedValue::from(value)];
    bus.call::<_, ()>(
        mock,
        "EmitSignal",
        &(interface, signal, signature, arguments),
    )
    .expect("a mock");
}
