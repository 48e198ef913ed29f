//! `ip_addresses`: the client's public addresses.

use rport_protocol::GoTime;
use rport_protocol::to_server::IpAddresses;

use crate::clients::Client;
use crate::clients::session::Shared;

pub(super) async fn serve(shared: &Shared, client: &Client, mut addresses: IpAddresses) {
    addresses.updated_at = GoTime(shared.clock.now_local());
    client.update(|record| record.details.ext_ip_addresses = Some(addresses));
    shared.registry.changed(client);
    if let Err(error) = shared.registry.save(&client.id).await {
        tracing::error!(client.id = %client.id, %error, "public addresses were not saved");
    }
}
