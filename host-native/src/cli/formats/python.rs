//! What Python does in a way of its own, and whisper's files show.

/// `str.isspace()`: Python counts four separators among white space that Unicode does not.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `round(1000 * seconds)`: halves go to the even neighbour. Times before 0 do not exist, and count as 0.
pub(super) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round_ties_even().max(0.0) as u64
}

/// `repr(float)`: the shortest digits that give the same number, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    // Rust has the same digits, as `d.ddde±x`, and never pads the exponent.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..16).contains(&exponent) => {
            let plain = value.to_string();
            if plain.contains('.') { plain } else { plain + ".0" }
        }
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        Err(_) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strip_takes_what_python_takes() {
        assert_eq!(strip("\u{1f} \t\u{a0}\u{3000}a b\u{85}\n\u{1c}"), "a b");
        // A zero-width space is no white space in either language.
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
    }

    #[test]
    fn milliseconds_round_halves_to_even() {
        assert_eq!(milliseconds(0.0005), 0);
        assert_eq!(milliseconds(0.0015), 2);
        assert_eq!(milliseconds(0.0025), 2);
        assert_eq!(milliseconds(3_599.999_6), 3_600_000);
        assert_eq!(milliseconds(-0.25), 0);
        assert_eq!(milliseconds(f64::NAN), 0);
    }

    #[test]
    fn floats_are_printed_as_python_prints_them() {
        // Left: what `repr` gives in Python 3.
        for (expected, value) in [
            ("0.0", 0.0),
            ("-0.0", -0.0),
            ("1.0", 1.0),
            ("0.1", 0.1),
            ("-0.30000000000000004", -(0.1 + 0.2)),
            ("11.0", 11.0),
            ("0.0001", 1e-4),
            ("0.00012345", 1.2345e-4),
            ("1e-05", 1e-5),
            ("1.5e-07", 1.5e-7),
            ("123456789.125", 123_456_789.125),
            ("1000000000000000.0", 1e15),
            ("1e+16", 1e16),
            ("1.2345678901234568e+16", 12_345_678_901_234_568.0),
            ("1.7976931348623157e+308", f64::MAX),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(float(value), expected);
        }
    }
}
