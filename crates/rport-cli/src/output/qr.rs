//! QR codes in a terminal.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// Draws a text as a QR code, two rows of dots per line, dark on light as cameras expect it.
///
/// Nothing is drawn for a text that is too long for one.
pub(crate) fn draw(text: &str, colour: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // Terminals are dark more often than light, so light dots are drawn and dark ones left out; with colours the
    // background is set, and it does not matter what the terminal looks like.
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(if colour { Dense1x2::Dark } else { Dense1x2::Light })
        .light_color(if colour { Dense1x2::Light } else { Dense1x2::Dark })
        .build();
    if !colour {
        return Some(drawn);
    }
    let lines: Vec<String> = drawn
        .lines()
        .map(|line| format!("\u{1b}[30;47m{line}\u{1b}[0m"))
        .collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_a_square() {
        let drawn = draw("otpauth://totp/RPort:admin?secret=JBSWY3DPEHPK3PXP", false).expect("short enough");
        let widths: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{widths:?}");
        assert!(widths.len().abs_diff(widths[0] / 2) <= 1, "{widths:?}");
        assert!(draw(&"x".repeat(5000), false).is_none());
    }
}
