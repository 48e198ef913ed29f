//! `ping`: the agent's sign of life.

use rport_transport::IncomingRequest;

use crate::clients::Client;
use crate::clients::session::Shared;

pub(super) fn serve(shared: &Shared, client: &Client, request: IncomingRequest) {
    client.heard(shared.clock.now_local());
    request.succeed(b"");
}
