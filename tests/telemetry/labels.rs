//! What callers write becomes no label.

use serde_json::json;

use crate::{
    receiver::Receiver,
    rig::{Rig, post, question as http_question, stop},
    support::{Ask as _, object, to},
};

#[tokio::test]
async fn labels_are_of_the_programs_and_the_policies_words() {
    let policy = "package authz
import rego.v1
made := {\"allow\": false, \"reasons\": [sprintf(\"code-%v\", [input.context.free])]}
written := {\"allow\": false, \"reasons\": [\"written_down\"]}
";
    let receiver = Receiver::start().await;
    let rig = Rig::new("x: {type: file, path: DIR/x.log}", &[("made.rego", policy)]);
    let mut server = receiver.told_by(rig.serve()).ready().await;
    let mut client = server.client().await;
    for number in 0..300 {
        let mut asked = to("data.authz.made");
        asked.context = Some(object(json!({"free": format!("evil{number}")})));
        client.ask(asked).await;
        client.ask(to(&format!("data.evil{number}"))).await;
        server.http("GET", &format!("/evil{number}?evil")).await;
    }
    client.ask(to("data.authz.written")).await;
    server.http("EVIL", "/metrics").await;
    post(&server, "?evil", "x: evil\r\n", &http_question("evil", &json!({})).to_string()).await;
    // A method, a service and a content type that there are not.
    for path in ["/verdict.v1.DecisionService/evil", "/evil.v1.Evil/Evil"] {
        let mut grpc = tonic::client::Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let refused: Result<tonic::Response<()>, _> =
            grpc.unary(tonic::Request::new(()), path.parse().unwrap(), codec).await;
        assert!(refused.is_err());
    }
    // What is refused before anybody looks for the method.
    let mut grpc = tonic::client::Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<Vec<u8>, ()>::default();
    let path = "/verdict.v1.DecisionService/evil".parse().unwrap();
    let large: Result<tonic::Response<()>, _> = grpc.unary(tonic::Request::new(vec![0; 2 << 20]), path, codec).await;
    assert_eq!(large.unwrap_err().code(), tonic::Code::ResourceExhausted);
    let (_, _, metrics) = server.http("GET", "/metrics").await;
    stop(&mut server).await;
    let has = |sample: &str| assert!(metrics.lines().any(|line| line.starts_with(sample)), "{sample} in {metrics}");
    has("verdict_decision_reasons_total{reason=\"other\"} 300");
    has("verdict_decision_reasons_total{reason=\"written_down\"} 1");
    has("verdict_decision_failures_total{code=\"no_decision\"} 301");
    has(
        "rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method=\"_OTHER\",rpc_response_status_code=\"UNIMPLEMENTED\"} 2",
    );
    has(
        "rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\",rpc_method=\"_OTHER\",rpc_response_status_code=\"RESOURCE_EXHAUSTED\"} 1",
    );
    has(
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"404\",http_route=\"_OTHER\"} 300",
    );
    has(
        "http_server_request_duration_seconds_count{http_request_method=\"_OTHER\",http_response_status_code=\"405\",http_route=\"/metrics\"} 1",
    );
    assert!(!metrics.to_lowercase().contains("evil"), "{metrics}");
    let samples = metrics.lines().filter(|line| !line.starts_with('#')).count();
    assert!(samples < 1_500, "{samples} samples");
    for span in receiver.spans() {
        assert!(!format!("{span:?}").to_lowercase().contains("evil"), "{span:?}");
    }
}
