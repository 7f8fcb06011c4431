//! Calls that are HTTP and no more: bodies, members, numbers, texts, ARNs, names and tokens, all wrong.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{Client, text};
use stepwell_tests::raw_http;

use super::{HOME, World, ensure_refused, machine_of, pass};

/// Ten thousand times deeper than anything reads.
const DEEP: usize = 10_000;
/// However many members a request has wrong, the answer says so in less.
const LARGEST_ANSWER: usize = 4 << 20;

/// An action, a body, and the error and part of the message that answer it.
type BadBody<'c> = (&'c str, Vec<u8>, &'c str, &'c str);

fn bad_bodies() -> Vec<BadBody<'static>> {
    let (list, start, create) = ("ListStateMachines", "StartExecution", "CreateStateMachine");
    let (serial, valid) = ("SerializationException", "ValidationException");
    let text = |text: &str| text.as_bytes().to_vec();
    let many =
        |one: &str| format!(r#"{{"resourceArn":"a","tags":[{}{one}]}}"#, format!("{one},").repeat(150_000)).into();
    vec![
        (start, text(""), valid, "Value null at 'stateMachineArn'"),
        (start, text("{}"), valid, "Value null at 'stateMachineArn'"),
        (list, text("{"), serial, "Unexpected end"),
        (list, text(" "), serial, ""),
        (list, text("{}{}"), serial, ""),
        (list, text("{'maxResults': 1}"), serial, ""),
        (list, text("[]"), serial, "Start of list"),
        (list, text("null"), serial, ""),
        (list, text("\"{}\""), serial, ""),
        (list, text("7"), serial, ""),
        (list, text("\u{feff}{}"), serial, ""),
        (list, vec![0; 1000], serial, ""),
        (list, "[".repeat(DEEP).into(), serial, ""),
        (list, r#"{"a":"#.repeat(DEEP).into(), serial, ""),
        (list, format!(r#"{{"nextToken":{}{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP)).into(), serial, ""),
        (list, b"{\"nextToken\":\"\xff\xfe\"}".to_vec(), serial, ""),
        (list, b"{\"\xc3\x28\":1}".to_vec(), serial, ""),
        (list, text(r#"{"nextToken":"\ud800"}"#), serial, ""),
        (list, text(r#"{"\udc00":1}"#), serial, ""),
        (list, text("{\"nextToken\":\"\u{0}\"}"), serial, ""),
        (list, text(r#"{"maxResults":1e400}"#), serial, ""),
        (list, format!(r#"{{"maxResults":1{}}}"#, "0".repeat(1000)).into(), serial, ""),
        (list, text(r#"{"maxResults":9223372036854775807}"#), valid, "less than or equal to 1000"),
        (list, text(r#"{"maxResults":-9223372036854775808}"#), valid, "greater than or equal to 0"),
        (list, text(r#"{"maxResults":9223372036854775808}"#), serial, ""),
        (list, text(r#"{"maxResults":1e3000000000}"#), serial, ""),
        (list, text(r#"{"maxResults":NaN}"#), serial, ""),
        (list, text(r#"{"maxResults":1,"maxResults":5000}"#), valid, "'5000' at 'maxResults'"),
        (list, text(r#"{"maxResults":"1"}"#), serial, "STRING_VALUE"),
        (start, text(r#"{"stateMachineArn":{"stateMachineArn":"a"}}"#), serial, "Start of structure"),
        (start, text(r#"{"stateMachineArn":["a"]}"#), serial, "Start of list"),
        (start, text(r#"{"stateMachineArn":"a","input":{}}"#), serial, "Start of structure"),
        (start, json!({"stateMachineArn": "a".repeat(2_000_000)}).to_string().into(), valid, "256"),
        (
            start,
            json!({"stateMachineArn": "a", "input": "1".repeat(262_145)}).to_string().into(),
            valid,
            "262144 bytes",
        ),
        (create, text(r#"{"name":"n","roleArn":"r","definition":{}}"#), serial, "Start of structure"),
        (create, text(r#"{"name":"n","roleArn":"r","definition":"","type":"EXTRA"}"#), valid, "2 validation errors"),
        (create, machine_of("n", &" ".repeat(1_048_577)).to_string().into(), valid, "1048576"),
        ("TagResource", text(r#"{"resourceArn":"a","tags":{"k":"v"}}"#), serial, "Start of structure"),
        ("TagResource", many("null"), valid, "tags.1.member"),
        ("TagResource", many(r#"{"key":""}"#), valid, "tags.1.member.key"),
        ("NoSuchAction", text("{"), "UnknownOperationException", "NoSuchAction"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_refused_and_told_why() -> Result<()> {
    let world = World::join().await?;
    for (action, body, kind, part) in bad_bodies() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = raw_http::call(world.endpoint(), action, &body).await.with_context(|| shown.clone())?;
        let (found, message) = answer.error()?;
        let beginning: String = message.chars().take(200).collect();
        let fits = answer.status == 400 && found == kind && message.contains(part);
        ensure!(fits, "{action} {shown}: {} {found}: {beginning}", answer.status);
        ensure!(!message.is_empty() && answer.body.len() < LARGEST_ANSWER, "{shown}: {} bytes", answer.body.len());
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn json_within_json_is_bounded_too() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let machine = client.create("takes-anything", &pass()).await?;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
    let token = waiting(&client, "deep-outputs").await?.token;
    let start = |input: &str| json!({"stateMachineArn": machine, "input": input});
    let texts = [
        nested("[", "]"),
        nested(r#"{"a":"#, "}"),
        "[".repeat(DEEP),
        String::new(),
        "{".to_owned(),
        "nonsense".to_owned(),
        "\"\u{0}\"".to_owned(),
        "NaN".to_owned(),
        "Infinity".to_owned(),
        "01".to_owned(),
        "1 2".to_owned(),
        "\u{feff}1".to_owned(),
    ];
    for text in &texts {
        let shown = &text[..text.len().min(40)];
        let definition = machine_of("deep", text);
        // An empty definition breaks its constraint before it is read.
        let kinds = ["InvalidDefinition", "ValidationException"];
        ensure_refused(&client.call("CreateStateMachine", &definition).await, &kinds, shown)?;
        ensure_refused(&client.call("StartExecution", &start(text)).await, &["InvalidExecutionInput"], shown)?;
        let output = json!({"taskToken": token, "output": text});
        ensure_refused(&client.call("SendTaskSuccess", &output).await, &["InvalidOutput"], shown)?;
        let answer = client.call("ValidateStateMachineDefinition", &json!({"definition": format!("{text} ")})).await?;
        ensure!(answer["result"] == "FAIL", "{shown}: {answer}");
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_through_exactly_or_not_at_all() -> Result<()> {
    let world = World::join().await?;
    let machine = world.client().create("hands-on", &handing_on()).await?;
    let exact = [
        "0",
        "-1",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "0.1",
        "1.5E-7",
        "5e-324",
        "1.7976931348623157e308",
    ];
    for number in exact {
        let output = world.output(&machine, &format!(r#"{{"n":{number}}}"#)).await?;
        let same = output.trim_start_matches(r#"{"m":"#).trim_end_matches('}').to_owned();
        ensure!(number.parse::<f64>()? == same.parse::<f64>()?, "{number} came out as {output}");
        ensure!(number.contains(['.', 'e']) || number == same, "{number} came out as {output}");
    }
    let huge = format!("1{}", "0".repeat(1000));
    for number in ["1e400", "-1e400", "1e99999999999999999999", &huge, "-0", "-0.0", "1e-400"] {
        let input = format!(r#"{{"n":{number}}}"#);
        let started = world.client().call("StartExecution", &json!({"stateMachineArn": machine, "input": input})).await;
        match started {
            Ok(started) => {
                let arn = text(&started, "executionArn")?;
                let description = world.client().finished(&arn, super::PATIENCE).await?;
                ensure!(
                    description["status"] == "SUCCEEDED" && description["input"] == *input,
                    "{number}: {description}"
                );
            }
            refused => ensure_refused(&refused, &["InvalidExecutionInput"], number)?,
        }
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_surrogate_pair_goes_through_and_stays_out_of_definitions() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let machine = client.create("hands-on-halves", &handing_on()).await?;
    for half in [r#""\ud800""#, r#"{"\udfff":1}"#] {
        let output = world.output(&machine, &format!(r#"{{"n":{half}}}"#)).await?;
        ensure!(output == format!(r#"{{"m":{half}}}"#), "{half} came out as {output}");
        let definition = machine_of("halves", half);
        ensure_refused(&client.call("CreateStateMachine", &definition).await, &["InvalidDefinition"], half)?;
    }
    world.is_unharmed().await
}

// AWS: unverified for definitions; of equal members in requests and inputs, JSON readers of Java keep the last.
#[tokio::test(flavor = "multi_thread")]
async fn of_equal_members_the_last_one_counts() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let machine = client.create("equal-members", &handing_on()).await?;
    let output = world.output(&machine, r#"{"n":1,"n":{"a":1,"a":2},"n":{"b":1,"b":3}}"#).await?;
    ensure!(output == r#"{"m":{"b":3}}"#, "{output}");
    let many = format!(r#"{{{}"n":4}}"#, r#""n":0,"#.repeat(40_000));
    ensure!(world.output(&machine, &many).await? == r#"{"m":4}"#, "of very many");
    let twice = r#"{"StartAt":"Q","StartAt":"P","States":{"P":{"Type":"Fail"},"P":{"Type":"Pass","Result":1,"Result":5,"End":true}}}"#;
    let created = client.call("CreateStateMachine", &machine_of("equal-fields", twice)).await?;
    ensure!(world.output(&text(&created, "stateMachineArn")?, "0").await? == "5", "of a definition");
    world.is_unharmed().await
}

/// Reads a number out of its input and writes it into its output.
fn handing_on() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"m.$": "$.n"}, "End": true}}})
}

/// An action, a member that is an ARN, the other members, and what the ARN has to name.
type ArnMember<'c> = (&'c str, &'c str, Value, &'c [&'c str]);

fn arn_members() -> Vec<ArnMember<'static>> {
    let (machine, execution): (&[&str], &[&str]) = (&["stateMachine"], &["execution"]);
    let taggable: &[&str] = &["stateMachine", "activity"];
    vec![
        ("DescribeStateMachine", "stateMachineArn", json!({}), machine),
        ("UpdateStateMachine", "stateMachineArn", json!({"roleArn": super::ROLE}), machine),
        ("DeleteStateMachine", "stateMachineArn", json!({}), machine),
        ("StartExecution", "stateMachineArn", json!({}), machine),
        ("StartSyncExecution", "stateMachineArn", json!({}), machine),
        ("ListExecutions", "stateMachineArn", json!({}), machine),
        ("DescribeExecution", "executionArn", json!({}), execution),
        ("StopExecution", "executionArn", json!({}), execution),
        ("GetExecutionHistory", "executionArn", json!({}), execution),
        ("DescribeStateMachineForExecution", "executionArn", json!({}), execution),
        ("TagResource", "resourceArn", json!({"tags": [{"key": "k", "value": "v"}]}), taggable),
        ("UntagResource", "resourceArn", json!({"tagKeys": ["k"]}), taggable),
        ("ListTagsForResource", "resourceArn", json!({}), taggable),
        ("CreateStateMachine", "roleArn", machine_of("any", &pass().to_string()), &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arn_of_the_wrong_kind_is_refused_wherever_an_arn_is_asked_for() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let here = |resource: &str| format!("{HOME}:{resource}");
    let wrong = ["stateMachine:m", "execution:m:e", "express:m:e:u", "mapRun:m/l:r", "activity:a", "unheard:of:it"];
    let malformed = [
        "nonsense".to_owned(),
        "arn".to_owned(),
        ":::::::::".to_owned(),
        "arn:aws:states:::".to_owned(),
        "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
        "arn:aws:states:us-east-1:123456789012".to_owned(),
        "ARN:AWS:STATES:us-east-1:123456789012:stateMachine:m".to_owned(),
        here(""),
        here("stateMachine:"),
        here("stateMachine"),
        here("execution::"),
        here("\u{0}"),
        format!(" {}", here("unheard:of")),
    ];
    let missing = ["StateMachineDoesNotExist", "ExecutionDoesNotExist", "ResourceNotFound"];
    for (action, member, others, right) in arn_members() {
        let with = |arn: &str| {
            let mut members = others.clone();
            members[member] = arn.into();
            members
        };
        for resource in wrong {
            let (arn, kind) = (here(resource), resource.split(':').next().unwrap_or_default());
            let answer = client.call(action, &with(&arn)).await;
            // Deleting what is not there is no error.
            if !(right.contains(&kind) && action == "DeleteStateMachine" && answer.is_ok()) {
                let kinds: &[&str] = if right.contains(&kind) { &missing } else { &["InvalidArn"] };
                ensure_refused(&answer, kinds, &format!("{action} of {arn}"))?;
            }
        }
        for arn in &malformed {
            ensure_refused(&client.call(action, &with(arn)).await, &["InvalidArn"], &format!("{action} of {arn:?}"))?;
        }
        for arn in [String::new(), "a".repeat(257)] {
            ensure_refused(&client.call(action, &with(&arn)).await, &["ValidationException"], action)?;
        }
        if let Some(kind) = right.first()
            && action != "DeleteStateMachine"
        {
            let elsewhere = format!("arn:aws:states:mars-north-1:000000000000:{kind}:m");
            let elsewhere = if *kind == "execution" { elsewhere + ":e" } else { elsewhere };
            ensure_refused(
                &client.call(action, &with(&elsewhere)).await,
                &missing,
                &format!("{action} of {elsewhere}"),
            )?;
        }
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_any_forbidden_character_is_refused() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let machine = client.create("names", &pass()).await?;
    let control = ('\u{0}'..='\u{1f}').chain('\u{7f}'..='\u{9f}');
    let forbidden = control.chain(" \u{a0}\u{2028}?*<>{}[]\"#%\\^|~`$&,;:/\u{fffe}\u{ffff}".chars());
    for letter in forbidden {
        let (name, what) = (format!("a{letter}b"), format!("{letter:?} in a name"));
        let created = client.call("CreateStateMachine", &machine_of(&name, &pass().to_string())).await;
        ensure_refused(&created, &["InvalidName"], &what)?;
        let started = client.call("StartExecution", &json!({"stateMachineArn": machine, "name": name})).await;
        ensure_refused(&started, &["InvalidName"], &what)?;
    }
    for name in [String::new(), "n".repeat(81), "ä".repeat(81)] {
        let created = client.call("CreateStateMachine", &machine_of(&name, &pass().to_string())).await;
        ensure_refused(&created, &["ValidationException"], &name)?;
        let started = client.call("StartExecution", &json!({"stateMachineArn": machine, "name": name})).await;
        ensure_refused(&started, &["ValidationException"], &name)?;
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_token_that_was_changed_anywhere_is_worth_nothing() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let Waiting { token, execution } = waiting(&client, "tampered-tokens").await?;
    let mut forged = damaged(&token);
    forged.extend(["nonsense", "AAAA", "=", " ", "\u{0}", "ä"].map(str::to_owned));
    forged.extend([format!("{token}=="), format!(" {token}"), "A".repeat(2048), "_".repeat(2047)]);
    forged.push(page_token(&client).await?);
    for wrong in &forged {
        for (action, more) in [
            ("SendTaskSuccess", json!({"taskToken": wrong, "output": "1"})),
            ("SendTaskFailure", json!({"taskToken": wrong})),
            ("SendTaskHeartbeat", json!({"taskToken": wrong})),
        ] {
            ensure_refused(&client.call(action, &more).await, &["InvalidToken"], &format!("{action} with {wrong:?}"))?;
        }
    }
    for wrong in [String::new(), "A".repeat(2049)] {
        let answer = client.call("SendTaskHeartbeat", &json!({"taskToken": wrong})).await;
        ensure_refused(&answer, &["ValidationException"], &wrong)?;
    }
    client.call("SendTaskSuccess", &json!({"taskToken": token, "output": "\"untouched\""})).await?;
    let description = client.finished(&execution, super::PATIENCE).await?;
    ensure!(description["output"] == "\"untouched\"", "{description}");
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_leads_nowhere_but_to_its_page() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let token = page_token(&client).await?;
    let machine = client.create("pages", &pass()).await?;
    let execution = client.start(&machine, "one", &json!(1)).await?;
    let members = |token: &str| {
        [
            ("ListStateMachines", json!({"nextToken": token})),
            ("ListExecutions", json!({"stateMachineArn": machine, "nextToken": token})),
            ("GetExecutionHistory", json!({"executionArn": execution, "nextToken": token})),
        ]
    };
    let mut forged = damaged(&token);
    forged.extend(["nonsense", "AAAA", "=", "\u{0}"].map(str::to_owned));
    for wrong in &forged {
        for (action, members) in members(wrong) {
            ensure_refused(&client.call(action, &members).await, &["InvalidToken"], &format!("{action} {wrong:?}"))?;
        }
    }
    for (action, members) in members(&token).iter().skip(1) {
        let what = format!("{action} with a token of another list");
        ensure_refused(&client.call(action, members).await, &["InvalidToken"], &what)?;
    }
    client.call("ListStateMachines", &json!({"nextToken": token})).await?;
    world.is_unharmed().await
}

/// A token of a list of state machines.
async fn page_token(client: &Client) -> Result<String> {
    for name in ["page-one", "page-two"] {
        client.create(name, &pass()).await?;
    }
    text(&client.call("ListStateMachines", &json!({"maxResults": 1})).await?, "nextToken")
}

/// A token with a letter changed, at places all over, and with parts cut off at either end.
fn damaged(token: &str) -> Vec<String> {
    let changed = (0..token.len()).step_by(5).chain([token.len() - 1]).map(|place| {
        let other = if &token[place..=place] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &token[..place], &token[place + 1..])
    });
    let cut = (1..token.len()).step_by(7).flat_map(|place| [token[..place].to_owned(), token[place..].to_owned()]);
    changed.chain(cut).collect()
}

struct Waiting {
    token: String,
    execution: String,
}

/// An execution that waits for its token, and the token as its history shows it.
async fn waiting(client: &Client, name: &str) -> Result<Waiting> {
    let definition = json!({"StartAt": "T", "States": {"T": {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "nobody", "Payload": {"token.$": "$$.Task.Token"}},
        "End": true,
    }}});
    let machine = client.create(name, &definition).await?;
    let execution = client.start(&machine, name, &json!({})).await?;
    let history = client.history(&execution).await?;
    let scheduled = history.iter().find(|event| event["type"] == "TaskScheduled").context("not scheduled")?;
    let parameters = stepwell_tests::client::parsed(&scheduled["taskScheduledEventDetails"]["parameters"])?;
    Ok(Waiting { token: text(&parameters["Payload"], "token")?, execution })
}
