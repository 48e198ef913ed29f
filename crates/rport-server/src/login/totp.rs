//! Codes of authenticator apps. Source: rest-api.md 6.4 and storage.md 8.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rport_domain::Error;
use rport_runtime::Secret;
use totp_rs::{Algorithm, Builder, Totp};

/// Length of new secrets in bytes.
const SECRET_LEN: usize = 20;
/// Codes of the step before and after the present one are taken, for clocks that are a little off.
const SKEW: u16 = 1;
/// Width and height of the picture.
const PICTURE: usize = 200;
/// White modules around the code, as the standard asks.
const QUIET: usize = 4;

/// What a user's app and the server share.
pub(super) struct Authenticator {
    totp: Totp,
    url: Secret,
}

impl Authenticator {
    /// Makes a new secret for a user. The URL has user and account where others have issuer and user, as the Go server
    /// writes it.
    pub(super) fn generate(user: &str, account: &str) -> Self {
        let secret = totp_rs::Secret::from(rport_runtime::rng::bytes::<SECRET_LEN>());
        let (user, account) = (escaped(user), escaped(account));
        let url = format!(
            "otpauth://totp/{user}:{account}?algorithm=SHA1&digits=6&issuer={user}&period=30&secret={}",
            secret.to_base32()
        );
        Self::read(&url).expect("the URL was just made")
    }

    /// Reads a stored URL; `None` when it is none, or asks for something that cannot be.
    pub(super) fn read(url: &str) -> Option<Self> {
        let (_, query) = url.strip_prefix("otpauth://totp/")?.split_once('?')?;
        let mut builder = Builder::new().with_skew(SKEW);
        let mut has_secret = false;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            builder = match &*key {
                "secret" => {
                    has_secret = !value.is_empty();
                    let padless = value.trim_end_matches('=').to_ascii_uppercase();
                    builder.with_secret(totp_rs::Secret::try_from_base32(padless).ok()?)
                }
                "algorithm" => builder.with_algorithm(match value.to_ascii_uppercase().as_str() {
                    "SHA1" => Algorithm::SHA1,
                    "SHA256" => Algorithm::SHA256,
                    "SHA512" => Algorithm::SHA512,
                    _ => return None,
                }),
                "digits" => {
                    builder.with_digits(value.parse().ok().filter(|digits| (6..=8).contains(digits))?)
                }
                "period" => {
                    let period = value.parse().ok().filter(|period| (1..=3600).contains(period))?;
                    builder.with_step_duration(period)
                }
                _ => builder,
            };
        }
        has_secret.then(|| Self {
            totp: builder.build_noncompliant(),
            url: Secret::new(url),
        })
    }

    /// The step a code belongs to, if it is right around `time`, in seconds since 1970.
    pub(super) fn step_of(&self, code: &str, time: i64) -> Option<i64> {
        let step = self.totp.check(code.trim(), u64::try_from(time).ok()?)?;
        i64::try_from(step).ok()
    }

    /// What is stored, and what the picture says.
    pub(super) fn url(&self) -> &Secret {
        &self.url
    }

    /// The secret for typing in.
    pub(super) fn secret(&self) -> String {
        self.totp.secret().to_base32()
    }

    /// The picture for the app's camera: a PNG of 200 by 200, in base64.
    ///
    /// # Errors
    /// `Internal` when the URL does not fit into a picture, which takes a user name of hundreds of characters.
    pub(super) fn picture(&self) -> Result<String, Error> {
        let code = qrcode::QrCode::new(self.url.expose()).map_err(Error::internal)?;
        let modules = code.width();
        let scale = (PICTURE / (modules + 2 * QUIET)).max(1);
        let margin = PICTURE.saturating_sub(modules * scale) / 2;
        let colors = code.to_colors();
        let mut pixels = vec![255u8; PICTURE * PICTURE];
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = (index % PICTURE, index / PICTURE);
            let module = |at: usize| Some(at.checked_sub(margin)? / scale).filter(|at| *at < modules);
            if let (Some(x), Some(y)) = (module(x), module(y))
                && colors[y * modules + x] == qrcode::Color::Dark
            {
                *pixel = 0;
            }
        }
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, PICTURE as u32, PICTURE as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(Error::internal)?;
        writer.write_image_data(&pixels).map_err(Error::internal)?;
        writer.finish().map_err(Error::internal)?;
        Ok(STANDARD.encode(png))
    }
}

/// Percent-encodes everything that could mean something in a URL.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: `12345678901234567890`.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn check(query: &str, time: i64, code: &str, step: Option<i64>) {
        let url = format!("otpauth://totp/ann:RPort?{query}");
        let app = Authenticator::read(&url).expect("a URL");
        assert_eq!(app.step_of(code, time), step, "{query} {time} {code}");
    }

    #[test]
    fn codes_of_the_standard_are_right_for_one_step_around() {
        let eight = format!("algorithm=SHA1&digits=8&issuer=ann&period=30&secret={RFC}");
        check(&eight, 59, "94287082", Some(1));
        check(&eight, 1_111_111_109, "07081804", Some(37_037_036));
        let six = format!("secret={RFC}");
        check(&six, 59, "287082", Some(1));
        check(&six, 29, "287082", Some(1));
        check(&six, 89, "287082", Some(1));
        check(&six, 90, "287082", None);
        check(&six, 59, "287083", None);
        check(&six, 59, "28708", None);
        let sha256 = "algorithm=SHA256&digits=8&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
        check(sha256, 59, "46119246", Some(1));
    }

    #[test]
    fn urls_are_the_go_servers() {
        let app = Authenticator::generate("ann b", "RPort");
        let url = app.url().expose();
        let start = "otpauth://totp/ann%20b:RPort?algorithm=SHA1&digits=6&issuer=ann%20b&period=30&secret=";
        assert!(url.starts_with(start), "{url}");
        assert_eq!(app.secret().len(), 32);
        assert!(url.ends_with(&app.secret()));
        for bad in [
            "",
            " ",
            "otpauth://totp/a?digits=6",
            "otpauth://totp/a?secret=",
            "otpauth://totp/a?secret=!!",
            "otpauth://totp/a?secret=GEZDGNBV&digits=12",
            "otpauth://totp/a?secret=GEZDGNBV&period=0",
            "otpauth://totp/a?secret=GEZDGNBV&algorithm=MD5",
            "otpauth://hotp/a?secret=GEZDGNBV",
        ] {
            assert!(Authenticator::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_picture_is_a_png_of_200_by_200() {
        let png = Authenticator::generate("ann", "RPort").picture().expect("fits");
        let png = STANDARD.decode(png).expect("base64");
        let reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .expect("a PNG");
        assert_eq!((reader.info().width, reader.info().height), (200, 200));
    }

    proptest::proptest! {
        #[test]
        fn foreign_urls_and_codes_never_panic(query in "[a-z=&0-9A-Z%]{0,60}", code in "\\PC{0,12}", time in 0i64..i64::MAX) {
            if let Some(app) = Authenticator::read(&format!("otpauth://totp/a?{query}")) {
                let _ = app.step_of(&code, time);
            }
        }
    }
}
