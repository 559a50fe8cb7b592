//! A task written down, durably: through our client and by `cv remind` as a process, on a warm
//! daemon, each beside one sync of the same disk; and a list of ten thousand tasks.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use convergio_benches::{Home, ask::connect, binaries, median, percentile, row, sync_median, time};
use convergio_client::Client;
use convergio_contract::{
    Uuid,
    task::{
        TaskCreate, TaskCreateParams, TaskCreateResponse, TaskFormat, TaskImport, TaskImportParams,
        TaskList, TaskListParams, TaskLocale,
    },
};

const CREATED: usize = 300;
const PROCESSES: usize = 100;
const LISTED: usize = 50;
const MANY: usize = 10_000;
/// What is wanted beyond one sync, and of a list.
const BEYOND_MAX: Duration = Duration::from_millis(5);
const LIST_MAX: Duration = Duration::from_millis(50);
const SENTENCE: &str = "call Mario tomorrow at 09:30";

fn main() {
    let home = Home::new(&binaries());
    home.start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(connect(home.path()));
    println!("remind: medians, each beside one sync of a page in the same folder");
    calls(&home, &runtime, &client, "task.create");
    processes(&home);
    runtime.block_on(fill(&client));
    calls(&home, &runtime, &client, "task.create, 10,000 there");
    runtime.block_on(lists(&client));
}

fn calls(home: &Home, runtime: &tokio::runtime::Runtime, client: &Client, what: &str) {
    let (mut ours, mut syncs) = (Vec::new(), Vec::new());
    for round in 0..CREATED + 20 {
        let sync = sync_median(home.path(), 1);
        let took = runtime.block_on(create(client));
        // The first ones also warm both up.
        if round >= 20 {
            ours.push(took);
            syncs.push(sync);
        }
    }
    told(what, &mut ours, &mut syncs);
}

fn told(what: &str, ours: &mut [Duration], syncs: &mut [Duration]) {
    let (p50, p99, sync) = (median(ours), percentile(ours, 99), median(syncs));
    row(&format!("{what}, p50"), p50, "one sync", sync, None);
    let beyond = p50.saturating_sub(sync);
    let verdict = if beyond <= BEYOND_MAX { "ok" } else { "MISSED" };
    println!("  p99 {p99:.1?}; beyond one sync {beyond:.1?}, at most {BEYOND_MAX:?}: {verdict}");
}

async fn create(client: &Client) -> Duration {
    let params = TaskCreateParams {
        task_id: Uuid::now_v7(),
        text: Some(SENTENCE.to_owned()),
        needs_time: true,
        locale: TaskLocale {
            zone: Some("Europe/Rome".to_owned()),
            ..TaskLocale::default()
        },
        ..TaskCreateParams::default()
    };
    let start = Instant::now();
    let made = client.call::<TaskCreate>(&params).await.unwrap();
    let took = start.elapsed();
    assert!(matches!(made, TaskCreateResponse::Created { .. }));
    took
}

/// From the start of the process to its end, which is behind the acknowledgement.
fn processes(home: &Home) {
    let (mut ours, mut syncs, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..PROCESSES + 5 {
        let sync = sync_median(home.path(), 1);
        let mut command = home.cv(&["remind", SENTENCE]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let took = time(|| assert!(command.status().expect("cv runs").success()));
        let nothing = time(|| {
            assert!(
                Command::new("/bin/true")
                    .status()
                    .expect("true runs")
                    .success()
            );
        });
        if round >= 5 {
            ours.push(took);
            syncs.push(sync);
            floor.push(nothing);
        }
    }
    told("cv remind, a process", &mut ours, &mut syncs);
    println!(
        "  of it a process that does nothing: {:.1?}",
        median(&mut floor)
    );
}

async fn fill(client: &Client) {
    let mut text = String::from("[");
    for n in 0..MANY {
        let comma = if n == 0 { "" } else { "," };
        let day = n % 28 + 1;
        write!(
            text,
            "{comma}{{\"title\":\"Task {n}: perché no?\",\"tags\":[\"t{}\",\"all\"],\
             \"project\":\"p{}\",\"due\":{{\"local\":\"2099-01-{day:02}T09:00:00\",\
             \"zone\":\"Europe/Rome\"}},\"remind_before_min\":[0]}}",
            n % 50,
            n % 20
        )
        .unwrap();
    }
    text.push(']');
    let params = TaskImportParams {
        format: TaskFormat::Json,
        text,
        dry_run: false,
        locale: TaskLocale::default(),
    };
    let start = Instant::now();
    let came = client.call::<TaskImport>(&params).await.unwrap();
    assert_eq!(came.created as usize, MANY);
    println!("task.import of {MANY}: {:.0?}", start.elapsed());
}

async fn lists(client: &Client) {
    let filters: [&[&str]; 4] = [
        &[],
        &["+t7", "project:p7"],
        &["PERCHE"],
        &["due.before:2099-01-15"],
    ];
    for filter in filters {
        let params = TaskListParams {
            filter: filter.iter().map(|&word| word.to_owned()).collect(),
            ..TaskListParams::default()
        };
        let mut took = Vec::new();
        let mut total = 0;
        for _ in 0..LISTED {
            let start = Instant::now();
            total = client.call::<TaskList>(&params).await.unwrap().total;
            took.push(start.elapsed());
        }
        let (p50, p99) = (median(&mut took), percentile(&mut took, 99));
        let verdict = if p50 <= LIST_MAX { "ok" } else { "MISSED" };
        println!(
            "task.list {filter:?} of {MANY} ({total} fit): p50 {p50:.1?}, p99 {p99:.1?}; at most {LIST_MAX:?}: {verdict}"
        );
    }
}
