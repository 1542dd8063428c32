//! Moments as engines and labels write them: RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::time::Timestamp;

const NANOS_PER_MS: u64 = 1_000_000;

/// In UTC; the year 9999 at the latest, beyond which there is no such text.
pub(super) fn format(moment: Timestamp) -> String {
    let nanos = i128::from(moment.as_millis()) * i128::from(NANOS_PER_MS);
    let text = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|at| at.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "9999-12-31T23:59:59.999Z".to_owned())
}

/// Cut to milliseconds. Nothing from before 1970: engines write the year 1 for "never".
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let millis = at(text)?.unix_timestamp_nanos() / i128::from(NANOS_PER_MS);
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// Nanoseconds since 1970, as an engine's events count them.
#[cfg(feature = "docker")]
pub(super) fn parse_nanos(text: &str) -> Option<u64> {
    u64::try_from(at(text)?.unix_timestamp_nanos()).ok()
}

fn at(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    (at >= OffsetDateTime::UNIX_EPOCH).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0_u64..=253_402_300_799_999) {
            let moment = Timestamp::from_millis(ms);
            prop_assert_eq!(parse(&format(moment)), Some(moment));
        }
    }

    #[test]
    fn times_of_the_engine() {
        let at = |text| parse(text).map(Timestamp::as_millis);
        assert_eq!(at("2026-11-21T22:28:46.892691068Z"), Some(1_795_300_126_892));
        assert_eq!(at("2026-11-22T00:28:46.5+02:00"), Some(1_795_300_126_500));
        assert_eq!(at("2024-02-29T23:59:59Z"), Some(1_709_251_199_000));
        for never in ["0001-01-01T00:00:00Z", "", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"] {
            assert_eq!(at(never), None, "{never}");
        }
        let late = Timestamp::from_millis(u64::MAX);
        assert_eq!(format(late), "9999-12-31T23:59:59.999Z");
    }

    #[cfg(feature = "docker")]
    #[test]
    fn events_count_nanoseconds() {
        assert_eq!(parse_nanos("2026-11-21T22:28:46.89269106Z"), Some(1_795_300_126_892_691_060));
        assert_eq!(parse_nanos("9999-12-31T00:00:00Z"), None, "more than 64 bits");
    }
}
