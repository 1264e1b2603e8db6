use super::*;

/// The field of the answer to these offers, on `/echo`.
fn answer(offers: &str) -> Option<String> {
    negotiate([offers.as_bytes()].into_iter(), false).map(Agreement::to_field)
}

#[cfg(not(feature = "deflate"))]
#[test]
fn without_the_feature_every_offer_is_declined() {
    assert_eq!(answer("permessage-deflate"), None);
}

#[cfg(feature = "deflate")]
mod offers {
    use super::*;

    #[test]
    fn an_offer_is_accepted_with_its_parameters() {
        for (offer, field) in [
            ("permessage-deflate", "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            (
                "permessage-deflate;server_no_context_takeover ; client_no_context_takeover",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            ),
            (
                "permessage-deflate; client_max_window_bits=\"10\"; server_max_window_bits = 9",
                "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
            ),
            ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"),
        ] {
            assert_eq!(answer(offer).as_deref(), Some(field), "{offer}");
        }
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_taken() {
        for (offers, field) in [
            ("x-webkit-deflate-frame, permessage-deflate", Some("permessage-deflate")),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9",
                Some("permessage-deflate; server_max_window_bits=9"),
            ),
            ("foo; bar=\"a,permessage-deflate;\", permessage-bzip2", None),
            ("foo; bar=\"a,b\", permessage-deflate", None),
        ] {
            assert_eq!(answer(offers).as_deref(), field, "{offers}");
        }
        let fields: [&[u8]; 3] = [b"\xff", b"permessage-deflate; server_max_window_bits=8", b"permessage-deflate"];
        assert_eq!(
            negotiate(fields.into_iter(), false).map(Agreement::to_field).as_deref(),
            Some("permessage-deflate")
        );
    }

    #[test]
    fn offers_that_cannot_be_met_are_declined() {
        for parameters in [
            "server_max_window_bits=8",
            "client_max_window_bits=8",
            "server_max_window_bits",
            "server_max_window_bits=",
            "server_max_window_bits=16",
            "server_max_window_bits=09",
            "server_max_window_bits=\"9",
            "client_max_window_bits=7",
            "client_max_window_bits=+9",
            "server_no_context_takeover=1",
            "client_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits=9; server_max_window_bits=10",
            "unknown",
            "",
        ] {
            assert_eq!(answer(&format!("permessage-deflate; {parameters}")), None, "{parameters}");
        }
        for offers in ["", "permessage-deflates", "Permessage-Deflate", "permessage-deflate=1", ";,=\"", "\""] {
            assert_eq!(answer(offers), None, "{offers:?}");
        }
    }

    #[test]
    fn a_shared_session_keeps_no_window() {
        let shared = negotiate([b"permessage-deflate".as_slice()].into_iter(), true).expect("an agreement");
        let field = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(shared.to_field(), field);
        assert!(shared.is_broadcast() && !shared.has_own_machines());
        let small = b"permessage-deflate; server_max_window_bits=14".as_slice();
        let small = negotiate([small].into_iter(), true).expect("an agreement");
        assert!(!small.is_broadcast() && !small.has_own_machines());
    }

    #[test]
    fn a_session_that_compresses_nothing_is_small() {
        assert!(size_of::<Compression>() <= 48, "{} bytes", size_of::<Compression>());
    }

    #[test]
    fn machines_of_its_own_are_for_windows_that_are_kept_or_small() {
        for (parameters, own) in [
            ("", true),
            ("; server_no_context_takeover", true),
            ("; client_no_context_takeover", true),
            ("; server_no_context_takeover; client_no_context_takeover", false),
            ("; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10", true),
            ("; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10", false),
        ] {
            let offer = format!("permessage-deflate{parameters}");
            let agreement = negotiate([offer.as_bytes()].into_iter(), false).expect("an agreement");
            assert_eq!(agreement.has_own_machines(), own, "{offer}");
        }
    }
}
