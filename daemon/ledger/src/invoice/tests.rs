use convergio_models_api::Resource;

use super::*;

fn read(text: &str) -> Invoice {
    parse_invoice(text.as_bytes(), None).unwrap()
}

fn refused(text: &str) -> String {
    parse_invoice(text.as_bytes(), None)
        .unwrap_err()
        .to_string()
}

/// Day, model, resource, quantity, nano-USD of each line.
fn lines(invoice: &Invoice) -> Vec<String> {
    let shown = |line: &InvoiceLine| {
        format!(
            "{} {} {} {} {} {}",
            line.day,
            line.provider,
            line.model.as_deref().unwrap_or("-"),
            line.resource.map_or("-", Resource::as_str),
            line.quantity.map_or("-".to_owned(), |n| n.to_string()),
            line.amount_nano.map_or("-".to_owned(), |n| n.to_string()),
        )
    };
    invoice.lines.iter().map(shown).collect()
}

#[test]
fn our_own_form_is_read() {
    let invoice = read(
        "day,provider,model,resource,quantity,amount_usd\r\n\
         2026-11-20,acme,large,in_uncached,1000,0.003\r\n\
         2026-11-20,acme,large,,,0.0150\r\n\
         2026-11-21,acme,\"large, v2\",out_text,10,\r\n",
    );
    assert_eq!(invoice.shape, Shape::Neutral);
    assert_eq!(
        lines(&invoice),
        [
            "2026-11-20 acme large in_uncached 1000 3000000",
            "2026-11-20 acme large - - 15000000",
            "2026-11-21 acme large, v2 out_text 10 -",
        ]
    );
    assert_eq!(invoice.lines[2].line, 4);
    let named = parse_invoice(b"day,model,amount_usd\n2026-11-20,large,1\n", Some("acme")).unwrap();
    assert_eq!(lines(&named), ["2026-11-20 acme large - - 1000000000"]);
}

#[test]
fn anthropics_exports_are_read() {
    let cost = read(
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,\
         list_price_usd,cost_type,inference_geo,speed,api_key_id,api_key_status\n\
         2026-11-20,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,0.05,token,,,id,active\n\
         2026-11-20,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.02,0.02,token,,,id,active\n",
    );
    assert_eq!(cost.shape, Shape::AnthropicCost);
    assert_eq!(
        lines(&cost),
        [
            "2026-11-20 anthropic Claude Haiku 4.5 in_uncached - 50000000",
            "2026-11-20 anthropic Claude Haiku 4.5 out_text - 20000000",
        ]
    );
    let usage = read(
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,\
         usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,\
         usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,\
         web_search_count,inference_geo,speed\n\
         2026-11-20 13:00,claude-haiku-4-5-20251001,k,Default,message,,3,12304,0,0,550,0,,\n",
    );
    assert_eq!(usage.shape, Shape::AnthropicUsage);
    assert_eq!(usage.lines.len(), 6);
    assert_eq!(
        lines(&usage)[2],
        "2026-11-20 anthropic claude-haiku-4-5-20251001 in_cache_write_5m 12304 -"
    );
    let report = read(
        r#"{"data":[{"starting_at":"2026-11-20T00:00:00Z","ending_at":"2026-11-21T00:00:00Z",
            "results":[{"currency":"USD","amount":"123.78912","workspace_id":null,
              "description":"Claude Haiku 4.5 Usage - Input Tokens","cost_type":"tokens",
              "context_window":"0-200k","model":"claude-haiku-4-5-20251001",
              "service_tier":"standard","token_type":"uncached_input_tokens"}]}],
            "has_more":false,"next_page":null}"#,
    );
    assert_eq!(report.shape, Shape::AnthropicCost);
    assert_eq!(
        lines(&report),
        ["2026-11-20 anthropic claude-haiku-4-5-20251001 in_uncached - 1237891200"]
    );
    let messages = read(
        r#"{"data":[{"starting_at":"2026-11-20T00:00:00Z","ending_at":"2026-11-21T00:00:00Z",
            "results":[{"uncached_input_tokens":3,"cache_creation":{
              "ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":12304},
              "cache_read_input_tokens":0,"output_tokens":550,
              "server_tool_use":{"web_search_requests":1},"model":"claude-x"}]}],
            "has_more":false,"next_page":null}"#,
    );
    assert_eq!(messages.shape, Shape::AnthropicUsage);
    assert_eq!(messages.lines.len(), 6);
}

#[test]
fn openais_exports_are_read() {
    let cost = read(
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,\
         project_id,organization_id,organization_name\n\
         1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,\
         0.8958740000000000,usd,,,org-x,Personal\n\
         1759968000,1760054400,2025-10-09T00:00:00+00:00,2025-10-10T00:00:00+00:00,,,,,,\n",
    );
    assert_eq!(cost.shape, Shape::OpenAiCost);
    assert_eq!(lines(&cost), ["2025-10-05 openai - - - 895874000"]);
    // A day on which nothing was billed is a day that the file speaks of.
    assert_eq!(cost.last_day.unwrap().to_string(), "2025-10-09");
    let usage = read(
        "start_time\tend_time\tnum_model_requests\tmodel\tinput_tokens\toutput_tokens\t\
         input_cached_tokens\n1759622400\t1759708800\t10.0\tgpt-4o-2024-08-06\t59200.0\t10646.0\t\
         5760.0\n1759968000\t1760054400\t\t\t\t\t\n",
    );
    assert_eq!(usage.shape, Shape::OpenAiUsage);
    assert_eq!(
        lines(&usage),
        [
            "2025-10-05 openai gpt-4o-2024-08-06 in_uncached 53440 -",
            "2025-10-05 openai gpt-4o-2024-08-06 in_cache_read 5760 -",
            "2025-10-05 openai gpt-4o-2024-08-06 out_text 10646 -",
        ]
    );
    let page = |value: &str, more: bool| {
        format!(
            r#"{{"object":"page","data":[{{"object":"bucket","start_time":1759622400,
            "end_time":1759708800,"results":[{{"object":"organization.costs.result",
            "amount":{{"value":{value},"currency":"usd"}},
            "line_item":"gpt-5-mini-2025-08-07, cached input","project_id":null}}]}}],
            "has_more":{more},"next_page":null}}"#
        )
    };
    let costs = read(&format!("{}\n{}", page("0.06", true), page("6e-05", false)));
    assert_eq!(
        lines(&costs),
        [
            "2025-10-05 openai gpt-5-mini-2025-08-07 in_cache_read - 60000000",
            "2025-10-05 openai gpt-5-mini-2025-08-07 in_cache_read - 60000",
        ]
    );
    assert_eq!(
        parse_invoice(page("1", true).as_bytes(), None),
        Err(InvoiceError::MorePages)
    );
    let completions = read(
        r#"[{"object":"page","data":[{"object":"bucket","start_time":1759622400,
        "end_time":1759708800,"results":[{"object":"organization.usage.completions.result",
        "input_tokens":1000,"output_tokens":500,"input_cached_tokens":800,
        "num_model_requests":5,"model":"gpt-5","batch":false}]}],"has_more":false}]"#,
    );
    assert_eq!(completions.shape, Shape::OpenAiUsage);
    assert_eq!(
        lines(&completions)[0],
        "2025-10-05 openai gpt-5 in_uncached 200 -"
    );
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    let head = "day,provider,model,resource,quantity,amount_usd\n";
    for (row, told) in [
        ("20.11.2026,acme,m,,,1", "line 2: a day reads 2026-11-20"),
        (
            "2026-11-20,acme,m,,,a lot",
            "line 2: an amount is a number of dollars",
        ),
        (
            "2026-11-20,acme,m,out_text,1.5,",
            "line 2: a quantity is a whole number",
        ),
        (
            "2026-11-20,acme,m,tokens,1,",
            "line 2: \"tokens\" is no resource",
        ),
        (
            "2026-11-20,acme,m,,1,",
            "line 2: a quantity of which resource?",
        ),
        (
            "2026-11-20,acme,m,,,",
            "line 2: neither a quantity nor an amount",
        ),
        ("2026-11-20,,m,,,1", "line 2: no provider is named"),
        (
            "2026-11-20,acme",
            "line 2: 2 cells, where the first line has 6",
        ),
        (
            "2026-11-20,acme,m\u{1b}[2J,,,1",
            "line 2: a name is text of 256 bytes at most",
        ),
    ] {
        assert_eq!(refused(&format!("{head}{row}\n")), told, "{row}");
    }
    assert_eq!(
        refused(&format!(
            "{head}2026-11-20,a,m,,,1\n2026-11-20,a,\"x\ny\",,,1\n"
        )),
        "line 3: a name is text of 256 bytes at most"
    );
    assert!(refused("a,b\n1,2\n").contains("its columns are a, b"));
    assert!(refused("").contains("empty"));
    assert!(refused("{\"data\":[]}").contains("no result"));
    assert!(refused("{\"error\":{}}").starts_with("line 1: it is not a page"));
    assert!(refused("<html>").contains("none of the forms"));
    let euros = "start_time,amount_value,amount_currency\n1759622400,1,eur\n";
    assert_eq!(refused(euros), "line 2: only US dollars are compared");
    assert_eq!(parse_invoice(b"\xff", None), Err(InvoiceError::NotText));
}
