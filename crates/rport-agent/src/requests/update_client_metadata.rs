//! `update_client_metadata`: new tags and labels.

use rport_protocol::Request;
use rport_protocol::to_client::{UpdateClientMetadata, UpdateClientMetadataReply};

use super::Context;

/// Writes the attributes file and takes the values over.
pub(super) async fn handle(payload: &[u8], context: &Context) -> Result<UpdateClientMetadataReply, String> {
    let attributes =
        UpdateClientMetadata::decode(payload).map_err(|error| format!("payload unreadable: {error}"))?;
    let store = context.attributes.clone();
    context
        .tasks
        .spawn_blocking("write attributes", move || store.replace(attributes))
        .await
        .map_err(|error| format!("can't write attributes to file: {error}"))?
        .map_err(|error| error.to_string())?;
    tracing::info!("the server replaced tags and labels");
    Ok(UpdateClientMetadataReply {
        status: "OK".to_owned(),
    })
}
