//! The committed OpenAPI document is the one the code generates.

use reqwest::Method;

use crate::rig::{Rig, sent};

/// `UPDATE_OPENAPI=1 cargo test -p rport-http openapi` writes the file.
#[test]
fn the_committed_document_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let generated = format!("{}\n", rport_http::openapi_json());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &generated).expect("openapi.json is written");
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "crates/rport-http/openapi.json is stale; run UPDATE_OPENAPI=1 cargo test -p rport-http openapi"
    );
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let rig = Rig::new().await;
    let response = sent(rig.anonymous(Method::GET, "/openapi.json")).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/json; charset=UTF-8"
    );
    assert_eq!(response.text().await.expect("body"), rport_http::openapi_json());
}
