//! Where a prompt is marked for providers that keep prompts only when they are asked to.

use convergio_models_api::{CacheAfter, CacheBreakpoint, ModelRequest};

/// The places behind which a prompt that begins like this may come again soon: the tools, the
/// standing instructions, and all of a conversation but the turn that is asked now. For five
/// minutes: writing an hour's costs more than what a person's pauses save.
pub(super) fn marks(request: &ModelRequest) -> Vec<CacheBreakpoint> {
    let tools = (!request.tools.is_empty()).then_some(CacheAfter::Tools);
    let system = request.system.as_ref().filter(|text| !text.is_empty());
    let system = system.map(|_| CacheAfter::System);
    let before = request.messages.len().checked_sub(2);
    let before = before.map(CacheAfter::Message);
    let places = [tools, system, before].into_iter().flatten();
    places
        .map(|after| CacheBreakpoint { after, hour: false })
        .collect()
}

#[cfg(test)]
mod tests {
    use convergio_models_api::{Message, Role, Tool};

    use super::*;

    fn places(request: &ModelRequest) -> Vec<CacheAfter> {
        marks(request).iter().map(|mark| mark.after).collect()
    }

    #[test]
    fn what_comes_again_is_marked_and_what_is_asked_now_is_not() {
        let mut request = ModelRequest {
            messages: vec![Message::text(Role::User, "now")],
            ..ModelRequest::default()
        };
        assert_eq!(places(&request), []);
        request.system = Some(String::new());
        assert_eq!(places(&request), []);
        request.system = Some("Be brief.".to_owned());
        assert_eq!(places(&request), [CacheAfter::System]);
        let before = [(Role::User, "a"), (Role::Assistant, "b")];
        let before = before.map(|(role, text)| Message::text(role, text));
        request.messages.splice(0..0, before);
        request.tools.push(Tool {
            name: "look".to_owned(),
            description: None,
            input_schema: serde_json::json!({}),
            strict: false,
        });
        assert_eq!(
            places(&request),
            [
                CacheAfter::Tools,
                CacheAfter::System,
                CacheAfter::Message(1)
            ]
        );
    }
}
