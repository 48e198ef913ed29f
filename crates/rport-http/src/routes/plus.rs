//! The original's add-on, which front ends ask for.

use rport_api_types::plus::PlusStatus;

use crate::answer::Data;

/// Show the state of the add-on.
///
/// There is none: what it did in the original is part of this server or not there. Needs no login.
#[utoipa::path(
    get, path = "/plus/status", tag = "about", operation_id = "plus_status", security(()),
    responses((status = 200, body = Data<PlusStatus>))
)]
pub(crate) async fn status() -> Data<PlusStatus> {
    Data {
        data: PlusStatus::absent(),
    }
}
