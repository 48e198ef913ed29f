//! Tags and labels, from the API to the agent's file and back.

use std::time::Duration;

use rport_testkit::{
    pair::{CONNECT_LIMIT, Pair},
    process::{AgentConfig, AgentProcess, ServerConfig, ServerProcess},
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);
const PATH: &str = "/clients/tester/attributes";

#[tokio::test]
async fn changed_tags_are_in_the_agents_file_and_survive_its_restart() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("attributes.json");
    let line = format!("attributes_file_path = \"{}\"", file.display());
    let server = ServerProcess::start().await?;
    let config = AgentConfig::new(Pair::ID, server.config.agents)
        .client(&line)
        .client("tags = [\"configured\"]");
    let mut agent = AgentProcess::start(config)?;
    let api = server.api();
    api.wait_connected(Pair::ID, CONNECT_LIMIT).await;
    assert_eq!(api.get(PATH).await?.data()?["tags"], json!(["configured"]));

    let wanted = json!({ "tags": ["prod", "<web>"], "labels": { "city": "Lille" } });
    let answer = api.put_json(PATH, &wanted).await?;
    assert_eq!((answer.status, answer.body["data"].as_str()), (200, Some("ok")));
    let kept: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    assert_eq!(kept, wanted);
    assert_eq!(api.get(PATH).await?.data()?, wanted);
    let found = api.get("/clients?filter[tags]=PROD&fields[clients]=id").await?;
    assert_eq!(found.data()?, json!([{ "id": Pair::ID }]));

    agent.child.terminate(SOON).await?;
    api.wait_disconnected(Pair::ID, SOON).await;
    let offline = api.get(PATH).await?;
    assert_eq!(
        (offline.status, offline.title()),
        (404, "Active client with id=\"tester\" not found.")
    );
    agent.restart()?;
    api.wait_connected(Pair::ID, CONNECT_LIMIT).await;
    assert_eq!(
        api.get(PATH).await?.data()?,
        wanted,
        "the agent reports them itself"
    );
    let tags = api.get("/client-tags").await?.data()?;
    let expected = json!([
        { "tag": "<web>", "client_ids": [Pair::ID] },
        { "tag": "prod", "client_ids": [Pair::ID] },
    ]);
    assert_eq!(tags, expected);
    agent.child.terminate(SOON).await?;
    Ok(())
}

#[tokio::test]
async fn an_agent_without_a_file_refuses_and_changes_nothing() -> anyhow::Result<()> {
    let pair = Pair::start_with(ServerConfig::new(), |config| {
        config.client("tags = [\"configured\"]")
    })
    .await?;
    let answer = pair.api.put_json(PATH, &json!({ "tags": ["new"] })).await?;
    assert_eq!(
        (answer.status, answer.title()),
        (409, "attributes file path not set")
    );
    assert_eq!(pair.api.get(PATH).await?.data()?["tags"], json!(["configured"]));
    Ok(())
}
