//! Definitions and inputs that are well-formed and mean harm: what they cost is bounded, and how they end is told.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use stepwell_tests::client::{Client, text};

use super::{World, ensure_refused, machine_of, pass};

/// The time limit of any run, without optimisation and beside other tests.
const SECONDS: Duration = Duration::from_secs(15);
/// Characters a definition may have.
const LONGEST: usize = 1_048_576;
/// Characters a cause may have.
const LONGEST_CAUSE: usize = 32_768;
/// Events a history may have.
const MOST_EVENTS: usize = 25_000;

/// How an execution may end.
enum Ends {
    /// With an output that contains this.
    Well(&'static str),
    /// With this error.
    Failed(&'static str),
    /// The definition is not taken.
    Refused,
}

/// The expression evaluated as `v` of a Pass state, the state's input, and how that ends.
type Expression = (&'static str, String, Value, Ends);

const RUNTIME: Ends = Ends::Failed("States.Runtime");
const INTRINSIC: Ends = Ends::Failed("States.IntrinsicFailure");

fn paths() -> Vec<Expression> {
    let wide: Vec<i32> = (0..20_000).collect();
    let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner, "b": [1, 2, 3]}));
    let filters = |depth| format!("$.a{}{}", "[?(@.b".repeat(depth), ")]".repeat(depth));
    let long = format!("{}b", "a".repeat(200_000));
    vec![
        ("brackets without end", format!("$.a{}", "[0]".repeat(10_000)), json!({"a": 1}), RUNTIME),
        ("open brackets", format!("$.a{}", "[".repeat(10_000)), json!({}), Ends::Refused),
        ("filters in filters", filters(1_000), json!({}), RUNTIME),
        ("negations", format!("$.a[?({}@.b)]", "!(".repeat(5_000)), json!({}), Ends::Refused),
        ("everything below everything", format!("${}", "..*".repeat(20)), deep, RUNTIME),
        ("twice everything below", format!("${}", "[0,0]".repeat(60)), nested_array(100), RUNTIME),
        ("an unknown kind of union", format!("${}", "[*,*,*]".repeat(40)), json!([[1, 2], [3]]), Ends::Refused),
        ("a filter over a filter", "$[?(@ in $[?(@ in $)])]".into(), json!(wide), RUNTIME),
        ("a regular expression", "$[?(@ =~ /(a+)+$/)]".into(), json!([long]), Ends::Well("[]")),
        ("a slice from far away", "$[-9223372036854775808:9223372036854775807]".into(), json!([1]), Ends::Refused),
        ("an index beyond numbers", "$[99999999999999999999999]".into(), json!([1]), Ends::Refused),
    ]
}

fn intrinsics() -> Vec<Expression> {
    let wide: Vec<i32> = (0..20_000).collect();
    let nested = |depth| format!("{}1{}", "States.Array(".repeat(depth), ")".repeat(depth));
    let range = "States.ArrayRange(1, 1000, 1)";
    let large = json!({"a": "x".repeat(200_000)});
    let longs = "a".repeat(200_000);
    vec![
        ("10,000 arguments", formatted(10_000, 10_000), json!({"a": 1}), Ends::Well("1111")),
        ("10,000 arguments for one place", formatted(1, 10_000), json!({"a": 1}), INTRINSIC),
        ("10,000 places for one argument", formatted(10_000, 1), json!({"a": 1}), INTRINSIC),
        ("arguments that multiply", formatted(10_000, 10_000), large.clone(), INTRINSIC),
        ("intrinsics in intrinsics", nested(1_000), json!({}), Ends::Refused),
        ("the longest range", range.into(), json!({}), Ends::Well("1000]")),
        (
            "longest ranges",
            format!("States.Array({range}{})", format!(", {range}").repeat(200)),
            json!({}),
            Ends::Failed("States.DataLimitExceeded"),
        ),
        (
            "a range over everything",
            "States.ArrayRange($.a, $.b, 1)".into(),
            json!({"a": i64::MIN, "b": i64::MAX}),
            INTRINSIC,
        ),
        (
            "a range at the edge",
            "States.ArrayRange($.a, $.b, 5)".into(),
            json!({"a": i64::MAX - 7, "b": i64::MAX}),
            Ends::Well("9223372036854775805]"),
        ),
        ("a range that stands still", "States.ArrayRange(1, 2, 0)".into(), json!({}), INTRINSIC),
        ("a sum beyond numbers", "States.MathAdd($.a, $.a)".into(), json!({"a": i64::MAX}), INTRINSIC),
        ("parts of nothing", "States.ArrayPartition($.a, 0)".into(), json!({"a": [1]}), INTRINSIC),
        (
            "parts of everything",
            "States.ArrayPartition($.a, $.b)".into(),
            json!({"a": [1], "b": i64::MAX}),
            Ends::Well("[[1]]"),
        ),
        ("an item before all", "States.ArrayGetItem($.a, $.b)".into(), json!({"a": [1], "b": i64::MIN}), INTRINSIC),
        (
            "a chance without room",
            "States.MathRandom($.a, $.b)".into(),
            json!({"a": i64::MIN, "b": i64::MAX}),
            INTRINSIC,
        ),
        ("everything in an array", format!("States.Array($.a{})", ", $.a".repeat(8_000)), large.clone(), INTRINSIC),
        ("uniqueness of many", "States.ArrayUnique($)".into(), json!(wide), Ends::Well("19999]")),
        ("pieces of a text", "States.StringSplit($, 'a')".into(), json!(longs), Ends::Well("[]")),
        ("a hash of a lot", "States.Hash($, 'SHA-512')".into(), json!(longs), INTRINSIC),
        ("JSON in a text", "States.StringToJson($)".into(), json!("[".repeat(100_000)), INTRINSIC),
        (
            "nested deeper by its template",
            "States.Array(States.Array($))".into(),
            nested_array(999),
            Ends::Failed("States.DataLimitExceeded"),
        ),
    ]
}

fn formatted(places: usize, arguments: usize) -> String {
    format!("States.Format('{}'{})", "{}".repeat(places), ", $.a".repeat(arguments))
}

fn nested_array(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| json!([inner]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_costs_no_more_than_its_bounds() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let mut wrong = String::new();
    for (number, (what, expression, input, expected)) in paths().into_iter().chain(intrinsics()).enumerate() {
        let state = json!({"Type": "Pass", "Parameters": {"v.$": expression}, "OutputPath": "$.v", "End": true});
        let definition = json!({"StartAt": "P", "States": {"P": state}}).to_string();
        let begun = Instant::now();
        let ended = ended(&client, &format!("expression-{number}"), &definition, &input).await?;
        if let Err(error) = expected.holds(&ended).and_then(|()| in_time(begun)) {
            writeln!(wrong, "{what}: {error}")?;
        }
    }
    ensure!(wrong.is_empty(), "{wrong}");
    world.is_unharmed().await
}

impl Ends {
    /// Whether an execution, or `None` where its machine was refused, ended like this.
    fn holds(&self, ended: &Option<Value>) -> Result<()> {
        match (self, ended) {
            (Ends::Refused, None) => Ok(()),
            (Ends::Well(part), Some(ended)) => {
                let output = ended["output"].as_str().with_context(|| format!("{ended:.600}"))?;
                ensure!(output.contains(part), "{output}");
                Ok(())
            }
            (Ends::Failed(error), Some(ended)) => {
                ensure!(ended["status"] == "FAILED" && ended["error"] == *error, "{:.600}", ended.to_string());
                let cause = ended["cause"].as_str().unwrap_or_default().chars().count();
                ensure!(cause <= LONGEST_CAUSE, "a cause of {cause} characters");
                Ok(())
            }
            (Ends::Refused, Some(ended)) => anyhow::bail!("taken: {:.600}", ended.to_string()),
            (Ends::Well(_) | Ends::Failed(_), None) => anyhow::bail!("refused"),
        }
    }
}

/// Runs a definition to its end; `None` when it is refused.
async fn ended(client: &Client, name: &str, definition: &str, input: &Value) -> Result<Option<Value>> {
    let created = client.call("CreateStateMachine", &machine_of(name, definition)).await;
    if created.is_err() {
        ensure_refused(&created, &["InvalidDefinition"], name)?;
        return Ok(None);
    }
    let execution = client.start(&text(&created?, "stateMachineArn")?, "run", input).await?;
    Ok(Some(client.finished(&execution, SECONDS).await?))
}

fn in_time(begun: Instant) -> Result<()> {
    ensure!(begun.elapsed() < SECONDS, "took {:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_of_a_mebibyte_is_taken_and_one_character_more_is_not() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let frame = json!({"Comment": "", "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}).to_string();
    let of_length = |length: usize| {
        let comment = format!(r#""Comment":"{}""#, "c".repeat(length - frame.len()));
        machine_of("mebibyte", &frame.replace(r#""Comment":"""#, &comment))
    };
    let created = client.call("CreateStateMachine", &of_length(LONGEST)).await?;
    ensure!(world.output(&text(&created, "stateMachineArn")?, "2").await? == "2", "it does not work");
    let refused = client.call("CreateStateMachine", &of_length(LONGEST + 1)).await;
    ensure_refused(&refused, &["ValidationException"], "one character more")?;
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_of_five_thousand_states_runs_through() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let mut states = Map::new();
    for number in 0..4_999 {
        states.insert(format!("S{number}"), json!({"Type": "Pass", "Next": format!("S{}", number + 1)}));
    }
    states.insert("S4999".into(), json!({"Type": "Pass", "End": true}));
    let definition = json!({"StartAt": "S0", "States": states}).to_string();
    let ended = ended(&client, "five-thousand", &definition, &json!(3)).await?.context("refused")?;
    ensure!(ended["output"] == "3", "{ended}");
    let history = client.history(&text(&ended, "executionArn")?).await?;
    ensure!(history.len() == 2 + 2 * 5_000, "{} events", history.len());
    world.is_unharmed().await
}

/// Goes on for as long as its input says so, which nothing changes.
fn endless(work: Value) -> Value {
    let mut again = json!({"Type": "Pass", "Next": "Enough"});
    if let (Value::Object(again), Value::Object(work)) = (&mut again, work) {
        again.extend(work);
    }
    let rule = json!({"Variable": "$.done", "IsPresent": true, "Next": "Done"});
    json!({"StartAt": "Enough", "States": {
        "Enough": {"Type": "Choice", "Choices": [rule], "Default": "Again"},
        "Again": again,
        "Done": {"Type": "Succeed"},
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_that_grows_its_data_ends_at_the_limit_of_data() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let doubling = endless(json!({"Parameters": {"a.$": "$.a", "b.$": "States.Format('{}{}', $.b, $.b)"}}));
    let input = json!({"a": 1, "b": "0123456789"});
    let ended = ended(&client, "doubling", &doubling.to_string(), &input).await?.context("refused")?;
    ensure!(ended["status"] == "FAILED" && ended["error"] == "States.DataLimitExceeded", "{:.600}", ended.to_string());
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_repeats_its_input_in_many_places_is_stopped() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let everywhere =
        |count: usize| -> Value { (0..count).map(|number| (format!("v{number}.$"), json!("$"))).collect() };
    let input = json!("x".repeat(200_000));
    let assigning = |count: usize| {
        let states = (0..count).map(|number| {
            let end = (number + 1 == count).then_some(true);
            let next = end.is_none().then(|| format!("S{}", number + 1));
            let assign = json!({format!("v{number}.$"): "$"});
            (format!("S{number}"), json!({"Type": "Pass", "Assign": assign, "Next": next, "End": end}))
        });
        json!({"StartAt": "S0", "States": states.map(without_nulls).collect::<Map<_, _>>()})
    };
    let pass = |member: &str, value: Value| json!({"StartAt": "P", "States": {"P": {"Type": "Pass", member: value, "End": true}}});
    let cases = [
        ("parameters", pass("Parameters", everywhere(8_000))),
        ("variables of a state", pass("Assign", everywhere(2))),
        ("variables of many states", assigning(60)),
    ];
    for (what, definition) in cases {
        let begun = Instant::now();
        let name = what.replace(' ', "-");
        let ended = ended(&client, &name, &definition.to_string(), &input).await?.context(what)?;
        ensure!(ended["error"] == "States.DataLimitExceeded", "{what}: {:.600}", ended["cause"].to_string());
        in_time(begun)?;
    }
    world.is_unharmed().await
}

fn without_nulls((name, mut state): (String, Value)) -> (String, Value) {
    if let Value::Object(members) = &mut state {
        members.retain(|_, member| !member.is_null());
    }
    (name, state)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_ends_when_its_history_is_full() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let begun = Instant::now();
    let ended = ended(&client, "endless", &endless(json!({})).to_string(), &json!({})).await?.context("refused")?;
    in_time(begun)?;
    ensure!(ended["status"] == "FAILED" && ended["error"] == "States.Runtime", "{ended}");
    let cause = text(&ended, "cause")?;
    ensure!(cause == "The execution reached the maximum number of history events (25000).", "{cause}");
    let newest = json!({"executionArn": ended["executionArn"], "reverseOrder": true, "maxResults": 1});
    let newest = client.call("GetExecutionHistory", &newest).await?;
    ensure!(newest["events"][0]["id"] == MOST_EVENTS, "{newest}");
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_stopped_while_it_runs() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let machine = client.create("stopped-loop", &endless(json!({}))).await?;
    let mut stopped = 0;
    for number in 0..5 {
        let execution = client.start(&machine, &format!("run-{number}"), &json!({})).await?;
        client.call("StopExecution", &json!({"executionArn": execution, "error": "Enough"})).await?;
        let description = client.describe(&execution).await?;
        let status = description["status"].as_str().unwrap_or_default();
        ensure!(["ABORTED", "FAILED"].contains(&status), "stopped and still {description}");
        stopped += usize::from(status == "ABORTED" && description["error"] == "Enough");
    }
    ensure!(stopped > 0, "none was stopped before its own end");
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_without_an_end_are_stopped_and_hold_up_nobody() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "P", "States": {"P": {
        "Type": "Pass", "Output": "{% ($f := function($x) { $f($x + 1) }; $f(1)) %}", "End": true,
    }}});
    let machine = client.create("without-an-end", &definition).await?;
    let begun = Instant::now();
    // More than the server has threads for its requests on most machines.
    let runs: Vec<String> = (0..8).map(|number| format!("run-{number}")).collect();
    let (none, one) = (json!({}), json!({"maxResults": 1}));
    let mut starts = std::pin::pin!(try_join_all(runs.iter().map(|run| client.start(&machine, run, &none))));
    let mut slowest = Duration::ZERO;
    let executions = loop {
        let asked = Instant::now();
        tokio::select! {
            started = &mut starts => break started?,
            listed = client.call("ListStateMachines", &one) => drop(listed?),
        }
        slowest = slowest.max(asked.elapsed());
    };
    let all = begun.elapsed();
    ensure!(slowest * 2 < all, "somebody else's call took {slowest:?} of {all:?}");
    for execution in executions {
        let ended = client.finished(&execution, SECONDS).await?;
        ensure!(ended["error"] == "States.QueryEvaluationError", "{ended}");
    }
    world.is_unharmed().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_over_a_hundred_thousand_numbers_ends() -> Result<()> {
    let world = World::join().await?;
    let client = world.client();
    let map = |items: Value| {
        json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": items, "End": true}}}).to_string()
    };
    let numbers: Vec<u8> = vec![7; 100_000];
    let begun = Instant::now();
    let run = ended(&client, "many-items", &map(pass()), &json!(numbers)).await?.context("refused")?;
    ensure!(run["status"] == "FAILED" && run["error"] == "States.Runtime", "{:.600}", run["cause"].to_string());
    let long: Vec<u64> = (0..5_000).map(|number| u64::MAX - number).collect();
    let run = ended(&client, "long-items", &map(pass()), &json!(long)).await?.context("refused")?;
    ensure!(run["output"] == json!(long).to_string().as_str(), "{:.600}", run.to_string());
    let within = json!({"StartAt": "N", "States": {"N": {"Type": "Map", "ItemProcessor": pass(), "End": true}}});
    let rows: Vec<Vec<u8>> = vec![vec![7; 100]; 40];
    let run = ended(&client, "maps-in-maps", &map(within), &json!(rows)).await?.context("refused")?;
    ensure!(run["output"] == json!(rows).to_string().as_str(), "{:.600}", run.to_string());
    in_time(begun)?;
    world.is_unharmed().await
}
