//! tonic's service, described without a compiler for `.proto` files.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str, input: &str, output: &str| {
        let message = |name: &str| format!("crate::contestants::tonic::{name}");
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(message(input))
            .output_type(message(output))
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Bench")
        .package("bench")
        .method(method("add", "Add", "Add", "Sum").build())
        .method(method("echo", "Echo", "Payload", "Payload").build())
        .method(method("pour", "Pour", "Note", "Count").client_streaming().build())
        .method(method("subscribe", "Subscribe", "Nothing", "Event").server_streaming().build())
        .method(method("publish", "Publish", "Count", "Nothing").build())
        .method(method("fetch", "Fetch", "Count", "Payload").server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
