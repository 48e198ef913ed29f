//! The second step of a login.

use rport_runtime::Secret;
use serde_json::{Value, json};

use super::{
    super::{text, texts},
    token,
};
use crate::{
    ask::Ask,
    client::{Api, Credential, Query},
    failure::{Exit, Failure, Result},
    output::{clean, draw_qr, note},
};

/// How often a person may mistype.
const ATTEMPTS: u32 = 3;

/// Trades the token of the first step and a code for the token of a login.
///
/// # Errors
/// When the code is wrong, or nobody gives one.
pub(super) async fn pass(
    api: &Api,
    ask: Ask,
    user: &str,
    first: Secret,
    factor: &Value,
    lifetime: &Query,
) -> Result<Secret> {
    let api = api.with(Credential::Session(first));
    let app = text(factor, "delivery_method") == "totp_authenticator_app";
    let prompt = if app {
        if text(factor, "totp_key_status") == "pending" {
            let made = api.post("/me/totp-secret", &Query::new(), &json!({})).await?;
            note("A second factor is required. Add this to your authenticator app:");
            show_secret(text(&made, "secret"), user);
            show_recovery_codes(&made["recovery_codes"]);
        }
        "Code of your authenticator app, or a recovery code".to_owned()
    } else {
        let (way, to) = (text(factor, "delivery_method"), text(factor, "send_to"));
        format!("Code sent by {} to {}, or a recovery code", clean(way), clean(to))
    };
    for attempt in 1.. {
        let code = ask.line(&prompt)?;
        let body = json!({ "username": user, "token": code.trim() });
        match api.post("/verify-2fa", lifetime, &body).await {
            Ok(answer) => return token(&answer),
            Err(failure) if failure.exit() == Exit::Forbidden && ask.interactive() && attempt < ATTEMPTS => {
                note(&format!("{}; try again, in a few seconds", failure.what()));
            }
            Err(failure) => return Err(failure.hint("log in again for a fresh code")),
        }
    }
    Err(Failure::error("no code"))
}

/// Shows the secret of an authenticator app, on standard error: as a QR code, as an address and to type in.
pub(crate) fn show_secret(secret: &str, user: &str) {
    let address = otpauth(secret, user);
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    if let Some(drawn) = draw_qr(&address, colour) {
        // The escapes of the drawing are our own.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{drawn}\n").as_bytes());
    }
    note(&address);
    note(&format!("To type in: {secret}"));
}

/// Shows recovery codes, if there are any, on standard error.
pub(crate) fn show_recovery_codes(codes: &Value) {
    let codes = texts(codes);
    if !codes.is_empty() {
        note("Recovery codes, shown this once only. Keep them where you find them without your phone:");
        codes.iter().for_each(|code| note(&format!("  {code}")));
    }
}

fn otpauth(secret: &str, user: &str) -> String {
    let user = crate::client::segment(user);
    format!("otpauth://totp/RPort:{user}?secret={secret}&issuer=RPort&algorithm=SHA1&digits=6&period=30")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_escaped() {
        let address = otpauth("JBSWY3DPEHPK3PXP", "ann lee&x");
        assert!(address.starts_with("otpauth://totp/RPort:ann%20lee%26x?secret=JBSWY3DPEHPK3PXP&"));
    }
}
