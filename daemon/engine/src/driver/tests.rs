use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use convergio_models_api::{
    ErrorClass, Message, ModelEvent, ModelRequest, Permit, Permitted, Policy, Provider, Role,
};
use futures_core::Stream;

use super::*;
use crate::{
    causes::{Cause, Causes},
    ports::{Ending, Refusal, Shown},
    router::{Facts, Route, Target},
};

/// One attempt's events; after them it stays silent unless it ended.
type Script = Vec<Result<ModelEvent, ErrorClass>>;

struct Scripted(Mutex<Vec<(Script, bool)>>);

struct Playing {
    events: std::vec::IntoIter<Result<ModelEvent, ErrorClass>>,
    ends: bool,
}

impl Stream for Playing {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.events.next() {
            Some(Ok(event)) => Poll::Ready(Some(Ok(event))),
            Some(Err(class)) => Poll::Ready(Some(Err(ModelError {
                provider: "p".into(),
                class,
                message: "m".into(),
                status: None,
                code: None,
                retry_after_ms: None,
                request_id: None,
            }))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Provider for Scripted {
    fn wire_bytes(&self, _: &ModelRequest) -> u64 {
        1
    }

    fn destination(&self) -> String {
        String::new()
    }

    fn stream(&self, request: Permitted<ModelRequest>) -> ModelStream {
        drop(request);
        let (script, ends) = self.0.lock().unwrap().remove(0);
        Box::pin(Playing {
            events: script.into_iter(),
            ends,
        })
    }
}

struct Books {
    provider: Arc<Scripted>,
    admitted: Mutex<Vec<Uuid>>,
    refuse_route: Option<usize>,
    settled: Mutex<Vec<Settlement>>,
    shown: Mutex<String>,
}

impl Books {
    fn new(scripts: Vec<(Script, bool)>) -> Self {
        Self {
            provider: Arc::new(Scripted(Mutex::new(scripts))),
            admitted: Mutex::default(),
            refuse_route: None,
            settled: Mutex::default(),
            shown: Mutex::default(),
        }
    }

    fn settled_each_once(&self) -> bool {
        let settled = self.settled.lock().unwrap();
        let ids: Vec<Uuid> = settled.iter().map(|one| one.attempt_id).collect();
        ids == *self.admitted.lock().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's admission")]
fn permitted() -> Permitted<ModelRequest> {
    let request = ModelRequest {
        provider: "p".into(),
        model: "m".into(),
        system: None,
        messages: vec![Message::text(Role::User, "hi")],
        max_output: 10,
        temperature: None,
        output_schema: None,
        ..ModelRequest::default()
    };
    let permit = Permit {
        attempt_id: Uuid::now_v7(),
        run_id: Uuid::nil(),
        tenant_id: Uuid::nil(),
        profile_id: Uuid::nil(),
        policy: Policy::LocalFirst,
        local: true,
        destination: String::new(),
        egress_id: None,
    };
    Permitted::granted_by_admission(request, permit)
}

impl Admission for Books {
    type Error = &'static str;

    async fn admit(&self, ask: Ask) -> Result<Admitted, Refusal<&'static str>> {
        if self.refuse_route == Some(ask.route) {
            return Err(Refusal {
                verdict: Verdict::Next(Cause::Unusable),
                reason: "no price".into(),
                error: "no price",
            });
        }
        let request = permitted();
        let id = request.permit().attempt_id;
        self.admitted.lock().unwrap().push(id);
        Ok(Admitted {
            request,
            provider: Arc::clone(&self.provider) as Arc<dyn Provider>,
        })
    }
}

impl RunLog for Books {
    fn show(&self, shown: Shown) {
        if let Shown::Piece { text, .. } = shown {
            self.shown.lock().unwrap().push_str(&text);
        }
    }

    fn ended(&self, settlement: Settlement) {
        self.settled.lock().unwrap().push(settlement);
    }

    async fn settle(&self) {}
}

fn plan(routes: usize) -> Plan {
    let route = |number| Route {
        target: Target {
            provider: format!("p{number}"),
            model: "m".into(),
        },
        local: true,
        reason: "configured".into(),
        on: Causes::ALL,
        facts: Facts::default(),
    };
    Plan {
        routes: (0..routes).map(route).collect(),
        left_out: Vec::new(),
        first_choice: None,
        policy: Policy::LocalFirst,
    }
}

fn text(text: &str) -> Result<ModelEvent, ErrorClass> {
    Ok(ModelEvent::Text(text.into()))
}

fn stop() -> Result<ModelEvent, ErrorClass> {
    Ok(ModelEvent::Stop(StopReason::End))
}

async fn run(books: &Books, routes: usize) -> Result<Answer, Broken<&'static str>> {
    let never = std::future::pending();
    ask(
        &plan(routes),
        Limits::default(),
        books,
        books,
        || 0.5,
        never,
    )
    .await
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let books = Books::new(vec![(vec![text("Hel"), text("lo"), stop()], true)]);
    let answer = run(&books, 1).await.unwrap();
    assert_eq!(answer.parts, ["Hello"]);
    assert_eq!(*books.shown.lock().unwrap(), "Hello");
    assert!(books.settled_each_once());
}

#[tokio::test(start_paused = true)]
async fn two_failures_and_then_an_answer_are_three_attempts_settled_once_each() {
    let failure = || (vec![Err(ErrorClass::Server)], true);
    let books = Books::new(vec![failure(), failure(), (vec![text("ok"), stop()], true)]);
    assert_eq!(run(&books, 1).await.unwrap().parts, ["ok"]);
    assert_eq!(books.admitted.lock().unwrap().len(), 3);
    assert!(books.settled_each_once());
}

#[tokio::test]
async fn a_route_that_is_refused_gives_way_to_the_next() {
    let mut books = Books::new(vec![(vec![text("ok"), stop()], true)]);
    books.refuse_route = Some(0);
    assert_eq!(run(&books, 2).await.unwrap().route, 1);
    let broken = run(&books, 1).await.unwrap_err();
    assert_eq!(broken.failure, Failure::Refused("no price"));
}

#[tokio::test]
async fn an_answer_that_breaks_keeps_what_came() {
    let books = Books::new(vec![(
        vec![text("half"), Err(ErrorClass::ConnectionLost)],
        true,
    )]);
    let broken = run(&books, 2).await.unwrap_err();
    assert_eq!(broken.parts, ["half"]);
    assert!(matches!(broken.failure, Failure::Model { route: 0, .. }));
    assert!(books.settled_each_once());
}

#[tokio::test]
async fn cancelling_and_dropping_settle_once() {
    let books = Books::new(vec![(vec![text("a")], false), (vec![text("b")], false)]);
    let seen = || async {
        while books.shown.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let plan = plan(1);
    let broken = ask(&plan, Limits::default(), &books, &books, || 0.5, seen()).await;
    assert_eq!(broken.unwrap_err().failure, Failure::Cancelled);
    assert!(books.settled_each_once());
    books.shown.lock().unwrap().clear();
    tokio::select! {
        _ = run(&books, 1) => panic!("it never ends by itself"),
        () = seen() => {}
    }
    assert_eq!(books.settled.lock().unwrap().len(), 2);
    assert!(books.settled_each_once());
    let last = books.settled.lock().unwrap()[1].clone();
    assert!(
        last.cancelled
            && matches!(
                last.ending,
                Ending::Partial {
                    counted_output: 1,
                    ..
                }
            )
    );
}

#[tokio::test]
async fn what_nobody_wants_any_more_is_not_sent() {
    let books = Books::new(Vec::new());
    let plan = plan(1);
    let broken = ask(
        &plan,
        Limits::default(),
        &books,
        &books,
        || 0.5,
        std::future::ready(()),
    );
    assert_eq!(broken.await.unwrap_err().failure, Failure::Cancelled);
    assert!(books.settled_each_once());
    assert_eq!(books.settled.lock().unwrap()[0].ending, Ending::NothingSent);
}
