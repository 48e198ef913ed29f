//! `updates_status`: which updates the client's system could install. Agents do not repeat it when they reconnect.

use rport_protocol::to_server::UpdatesStatus;

use crate::clients::Client;
use crate::clients::session::Shared;

pub(super) async fn serve(shared: &Shared, client: &Client, status: UpdatesStatus) {
    client.update(|record| record.details.updates_status = Some(status));
    shared.registry.changed(client);
    if let Err(error) = shared.registry.save(&client.id).await {
        tracing::error!(client.id = %client.id, %error, "updates status was not saved");
    }
}
