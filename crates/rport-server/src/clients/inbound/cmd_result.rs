//! `cmd_result`: a job has ended. Our own agents want to hear that it is stored; Go agents want no answer.

use std::sync::Arc;

use rport_protocol::ResultVerdict;
use rport_transport::IncomingRequest;

use crate::clients::Client;
use crate::clients::session::Shared;

pub(super) async fn serve(shared: &Shared, client: &Arc<Client>, request: IncomingRequest) {
    match shared.jobs.take_result(client, &request.payload).await {
        ResultVerdict::Stored => request.succeed([]),
        ResultVerdict::Refused(reason) => request.fail(&reason),
    }
}
