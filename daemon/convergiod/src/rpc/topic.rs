//! What clients hear of by themselves.

use std::sync::Arc;

use convergio_contract::{
    RpcError,
    topic::{
        EventsSubscribe, EventsSubscribeParams, EventsSubscribeResponse, EventsUnsubscribe,
        EventsUnsubscribeParams, EventsUnsubscribeResponse, TOPIC_NOTIFICATION, Topic,
    },
};

use crate::{
    conn::Conn,
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    topics::{self, Subscription, Wanted},
};

/// Ends the subscription that the connection has, if it has one; the number of the next.
fn next_turn(conn: &Conn) -> u64 {
    let mut turn = 0;
    conn.topics.send_modify(|count| {
        *count += 1;
        turn = *count;
    });
    turn
}

impl Handle<EventsSubscribe> for Daemon {
    async fn handle(
        &self,
        call: Call,
        params: EventsSubscribeParams,
    ) -> Result<EventsSubscribeResponse, RpcError> {
        if params.topics.is_empty() {
            return Err(failure::invalid("`topics` names at least one topic")
                .why("there are `task.due` and `menu.changed`"));
        }
        let mut topics = params.topics;
        topics.sort_unstable();
        topics.dedup();
        let declined: &[String] = call
            .conn
            .client()
            .map_or(&[], |client| &client.capabilities.opt_out);
        let wants = |topic: &Topic| {
            let names = [TOPIC_NOTIFICATION, topics::name(*topic)];
            !declined
                .iter()
                .any(|declined| names.contains(&declined.as_str()))
        };
        topics.retain(wants);
        let conn = Arc::clone(&call.conn);
        let turn = next_turn(&conn);
        if !topics.is_empty() {
            let reminders = topics.contains(&Topic::TaskDue);
            let language = self.language(params.language.as_deref());
            let wanted = Wanted {
                subscription: Subscription {
                    conn: conn.number,
                    turn,
                },
                language,
                menu: topics.contains(&Topic::MenuChanged),
                reminders,
                shows: reminders && params.shows_reminders,
            };
            let listening = self.connections.listens(conn.number);
            let turns = conn.topics.subscribe();
            let following = topics::follow(self.shared()?, conn, wanted, turns, listening);
            call.then(following);
        }
        Ok(EventsSubscribeResponse { topics })
    }
}

impl Handle<EventsUnsubscribe> for Daemon {
    async fn handle(
        &self,
        call: Call,
        _params: EventsUnsubscribeParams,
    ) -> Result<EventsUnsubscribeResponse, RpcError> {
        next_turn(&call.conn);
        Ok(EventsUnsubscribeResponse {})
    }
}
