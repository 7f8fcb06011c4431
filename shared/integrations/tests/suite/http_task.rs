//! `http:invoke` and `apigateway:invoke`, over the wire: what is sent, and what each kind of answer becomes.

use engine::ports::{TaskAnswer, TaskCall, Tasks};
use integrations::{ConnectionFile, Endpoints, Targets, credentials};
use serde_json::{Value, json};

use crate::wire::{self, Does, Said, Server, failure, home};

/// A server that answers a request by its path.
async fn server(answers: Vec<(&'static str, u16, Value, &str)>) -> Server {
    let said = |(path, status, headers, body): (&'static str, u16, Value, &str)| {
        let said = Said { status, headers: headers.as_object().unwrap().clone(), body: body.to_owned() };
        (path, wire::answer(&said))
    };
    Server::start(Does::AnswersPaths(answers.into_iter().map(said).collect())).await
}

/// Targets with one connection of each kind, which reach the server.
fn targets(server: &Server) -> Targets {
    let host = server.url.strip_prefix("http://").unwrap();
    let shared = json!({"HeaderParameters": [{"Key": "x-shared", "Value": "connection", "IsValueSecret": true}],
        "QueryStringParameters": [{"Key": "q", "Value": "a b"}], "BodyParameters": [{"Key": "b", "Value": "c"}]});
    let oauth = json!({"AuthorizationEndpoint": format!("{}/token", server.url), "HttpMethod": "POST",
        "ClientParameters": {"ClientID": "id", "ClientSecret": "s&t"},
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "grant_type", "Value": "client_credentials"}]}});
    let file = json!({"Connections": [
        {"Name": "basic", "AuthorizationType": "BASIC",
         "AuthParameters": {"BasicAuthParameters": {"Username": "u", "Password": "p"}}},
        {"Name": "key", "AuthorizationType": "API_KEY", "AuthParameters": {
            "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}, "InvocationHttpParameters": shared}},
        {"Name": "oauth", "AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": {"OAuthParameters": oauth}},
    ], "ReachableHosts": [host]});
    Targets::new(Endpoints::default(), &home(), credentials::environment())
        .with_connections(ConnectionFile::parse(&file.to_string()).unwrap())
}

fn invoke(url: &str, connection: &str, more: Value) -> TaskCall {
    let arn = format!("arn:aws:events:eu-west-1:123456789012:connection/{connection}/0f1e");
    let mut arguments = json!({"ApiEndpoint": url, "Method": "POST", "Authentication": {"ConnectionArn": arn}});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wire::call("http:invoke", &arguments.to_string())
}

fn output(answer: TaskAnswer) -> String {
    match answer {
        TaskAnswer::Succeeded { output } => output,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_api_is_called_with_the_parameters_of_its_connection() {
    let headers = json!({"content-type": "application/json", "x-own": "v"});
    let server = server(vec![("/v1", 200, headers, r#"{ "n": 1.50 }"#)]).await;
    let more = json!({"Headers": {"X-Shared": "task", "x-shared": "task"}, "QueryParameters": {"q": "task", "r": "1"},
        "RequestBody": {"b": "task", "d": 2}});
    let answer = output(targets(&server).call(invoke(&format!("{}/v1", server.url), "key", more)).await);
    let expected = r#"{"Headers":{"content-length":["13"],"content-type":["application/json"],"x-own":["v"]},"ResponseBody":{"n":1.50},"StatusCode":200,"StatusText":"OK"}"#;
    assert_eq!(answer, expected);

    let heard = server.heard();
    let [(head, body)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(head.starts_with("post /v1?r=1&q=a%20b http/1.1"), "{head}");
    for header in [
        "user-agent: amazon|stepfunctions|httpinvoke|eu-west-1",
        "range: bytes=0-262144",
        "content-type: application/json; charset=utf-8",
        "x-key: k",
        "x-shared: task",
        "x-shared: connection",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert_eq!(head.matches("x-shared: ").count(), 2, "{head}");
    assert_eq!(body, r#"{"b":"c","d":2}"#);
}

#[tokio::test]
async fn each_kind_of_connection_authorizes_its_requests() {
    let token = r#"{"access_token":"T1","expires_in":3600}"#;
    let server = server(vec![("/token", 200, json!({}), token), ("/v1", 204, json!({}), "")]).await;
    let targets = targets(&server);
    let url = format!("{}/v1", server.url);
    for connection in ["basic", "oauth", "oauth"] {
        let answer = output(targets.call(invoke(&url, connection, json!({}))).await);
        assert!(answer.ends_with(r#"},"StatusCode":204,"StatusText":"No Content"}"#), "{answer}");
        assert!(!answer.contains("ResponseBody"), "{answer}");
    }
    let heard = server.heard();
    let [(basic, _), (asked, form), (first, _), (second, _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(basic.contains("authorization: basic dtpw"), "{basic}");
    assert!(asked.starts_with("post /token "), "{asked}");
    assert_eq!(form, "grant_type=client_credentials&client_secret=s%26t&client_id=id");
    for head in [first, second] {
        assert!(head.contains("authorization: bearer t1"), "{head}");
    }
}

#[tokio::test]
async fn answers_that_are_no_success_fail_the_task_in_the_words_of_aws() {
    let binary = json!({"content-type": "application/octet-stream"});
    let server = server(vec![
        ("/teapot", 418, json!({}), ""),
        ("/no", 404, json!({}), "no such thing"),
        ("/bytes", 200, binary, "x"),
        ("/moved", 302, json!({"location": "/v1"}), ""),
    ])
    .await;
    let targets = targets(&server);
    let cases = [
        ("/teapot", "States.Http.StatusCode.418", None),
        ("/no", "States.Http.StatusCode.404", Some("no such thing")),
        ("/moved", "States.Http.StatusCode.302", None),
        (
            "/bytes",
            "States.Runtime",
            Some(
                "Unsupported response content-type 'application/octet-stream'. Please see documentation for list of \
                 unsupported content-types.",
            ),
        ),
    ];
    for (path, error, cause) in cases {
        let answer = targets.call(invoke(&format!("{}{path}", server.url), "basic", json!({}))).await;
        let expected = TaskAnswer::Failed { error: error.to_owned(), cause: cause.map(str::to_owned) };
        assert_eq!(answer, expected, "{path}");
    }
    assert_eq!(server.heard().len(), cases.len(), "nothing is followed or sent again");
}

#[tokio::test]
async fn what_may_not_be_called_is_not_called() {
    let server = server(vec![("/", 200, json!({}), "{}")]).await;
    let targets = targets(&server);
    let port = server.url.rsplit(':').next().unwrap();
    for url in [format!("http://localhost:{port}/"), format!("https://[::1]:{port}/"), "http://example.com/".to_owned()]
    {
        let (error, cause) = failure(targets.call(invoke(&url, "basic", json!({}))).await);
        assert_eq!(error, "States.Runtime", "{url}: {cause}");
        assert!(cause.contains("could not be used to start the Task"), "{cause}");
    }
    // Known nowhere: EventBridge may not be asked.
    let (error, cause) = failure(targets.call(invoke(&server.url, "unknown", json!({}))).await);
    assert_eq!(error, "Events.ConnectionResource.AccessDenied");
    assert_eq!(cause, "No permissions to call RetrieveConnectionCredentials on the connection resource.");
    let merged = invoke(&server.url, "key", json!({"RequestBody": "text"}));
    let (error, cause) = failure(targets.call(merged).await);
    assert_eq!(error, "States.Runtime");
    assert_eq!(cause, "Cannot merge connection body authorization parameters with request body.");
    assert!(server.heard().is_empty());

    // A server that is not there.
    let (error, _) = failure(targets.call(invoke("https://host.invalid/", "basic", json!({}))).await);
    assert_eq!(error, "States.Http.Socket");
}

#[tokio::test]
async fn an_api_of_api_gateway_is_called_at_its_stage() {
    let forbidden = r#"{"message":"Forbidden"}"#;
    let server = server(vec![
        ("/prod/bills", 200, json!({"content-type": "application/json"}), r#"{"bills":[]}"#),
        ("/prod/no", 403, json!({}), forbidden),
    ])
    .await;
    let targets = wire::targets(&server.url);
    let call = |more: Value| {
        let mut arguments = json!({"ApiEndpoint": "abc1.execute-api.eu-central-1.amazonaws.com", "Method": "POST"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wire::call("apigateway:invoke", &arguments.to_string())
    };
    let signed =
        call(json!({"Stage": "prod", "Path": "bills", "QueryParameters": {"id": ["1", "2"]}, "AuthType": "IAM_ROLE",
        "Headers": {"TaskToken": ["t"]}, "RequestBody": {"a": null, "b": 1}}));
    let answer = output(targets.call(signed).await);
    assert!(answer.contains(r#""ResponseBody":{"bills":[]},"StatusCode":200,"StatusText":"OK""#), "{answer}");
    let refused = targets.call(call(json!({"Stage": "prod", "Path": "no"}))).await;
    assert_eq!(failure(refused), ("ApiGateway.403".to_owned(), forbidden.to_owned()));

    let heard = server.heard();
    let [(signed, body), (open, _)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(signed.starts_with("post /prod/bills?id=1&id=2 http/1.1"), "{signed}");
    assert!(signed.contains("/eu-central-1/execute-api/aws4_request") && signed.contains("tasktoken: t"), "{signed}");
    assert_eq!(body, r#"{"b":1}"#);
    assert!(!open.contains("authorization"), "{open}");
}
