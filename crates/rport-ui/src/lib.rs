//! The built web UI as bytes in the program.
//!
//! `ui/` is the source, `make ui` builds it into `ui/dist`, and `build.rs` embeds what is there. Without Node nothing
//! is there: the crate still compiles, and [`is_built`] tells.

use std::io::Read;

use flate2::read::GzDecoder;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Relative to the UI's root, such as `assets/index-B2hx.js`.
    pub path: &'static str,
    /// Changes with the content; good as an entity tag.
    pub hash: &'static str,
    /// The content.
    pub body: Body,
}

/// In which forms a file is embedded.
#[derive(Debug)]
pub enum Body {
    /// Compressed ahead of time. The plain form is not kept: who takes neither is rare, and unpacking is quick.
    Packed {
        /// For callers who take `br`.
        brotli: &'static [u8],
        /// For all others, unpacked where they do not take `gzip`.
        gzip: &'static [u8],
    },
    /// Compressing would gain nothing.
    Plain(&'static [u8]),
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Whether the UI was built before the program was.
#[must_use]
pub fn is_built() -> bool {
    !ASSETS.is_empty()
}

/// The file of that name, which is relative to the UI's root.
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    find(ASSETS, path)
}

fn find<'a>(assets: &'a [Asset], path: &str) -> Option<&'a Asset> {
    let at = assets.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    assets.get(at)
}

/// Every embedded file, by name.
#[must_use]
pub fn assets() -> &'static [Asset] {
    ASSETS
}

impl Asset {
    /// The brotli form, if there is one.
    #[must_use]
    pub fn brotli(&self) -> Option<&'static [u8]> {
        match self.body {
            Body::Packed { brotli, .. } => Some(brotli),
            Body::Plain(_) => None,
        }
    }

    /// The gzip form, if there is one.
    #[must_use]
    pub fn gzip(&self) -> Option<&'static [u8]> {
        match self.body {
            Body::Packed { gzip, .. } => Some(gzip),
            Body::Plain(_) => None,
        }
    }

    /// The content, unpacked for this call where only packed forms are kept.
    #[must_use]
    pub fn plain(&self) -> Vec<u8> {
        match self.body {
            Body::Plain(bytes) => bytes.to_vec(),
            Body::Packed { gzip, .. } => {
                let mut plain = Vec::new();
                GzDecoder::new(gzip)
                    .read_to_end(&mut plain)
                    .expect("the build packed it");
                plain
            }
        }
    }

    /// Whether the name changes with the content, so that a browser may keep the file for ever.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }

    /// What `Content-Type` says about it.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "woff2" => "font/woff2",
            "json" | "webmanifest" => "application/json",
            "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello\n", packed by gzip.
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 2, 0, 0x20, 0x30, 0x3a, 0x36,
        6, 0, 0, 0,
    ];

    fn sample() -> [Asset; 2] {
        [
            Asset {
                path: "assets/a-1.js",
                hash: "1",
                body: Body::Packed {
                    brotli: b"br",
                    gzip: HELLO,
                },
            },
            Asset {
                path: "icon.svg",
                hash: "2",
                body: Body::Plain(b"<svg/>"),
            },
        ]
    }

    #[test]
    fn files_are_found_by_their_whole_name() {
        let sample = sample();
        assert_eq!(find(&sample, "icon.svg").map(|asset| asset.hash), Some("2"));
        for other in ["", "icon", "assets/", "ICON.SVG", "../icon.svg"] {
            assert!(find(&sample, other).is_none(), "{other}");
        }
    }

    #[test]
    fn packed_files_are_unpacked_for_who_cannot() {
        let [packed, plain] = sample();
        assert_eq!(packed.plain(), b"hello\n");
        assert!(packed.brotli().is_some() && packed.is_immutable());
        assert_eq!(packed.content_type(), "text/javascript; charset=utf-8");
        assert_eq!(plain.plain(), b"<svg/>");
        assert!(plain.gzip().is_none() && !plain.is_immutable());
    }

    #[test]
    fn what_is_embedded_is_whole() {
        for asset in assets() {
            assert_eq!(
                find(assets(), asset.path).map(|found| found.hash),
                Some(asset.hash)
            );
            assert!(!asset.plain().is_empty(), "{}", asset.path);
            assert_ne!(asset.content_type(), "application/octet-stream", "{}", asset.path);
        }
        assert_eq!(is_built(), asset("index.html").is_some());
    }
}
