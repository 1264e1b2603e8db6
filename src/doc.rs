//! The documents, each for one reader.
//!
//! They are Markdown files in `src/doc`, which can be read on a forge, too. The README is the page for users.

/// One document as a module. Its links lead to files; of two definitions of one label the first counts, so here those
/// in front of it lead to modules. Pictures are found from `target/doc`.
macro_rules! document {
    ($name:ident, $file:literal) => {
        /// [bench]: crate::doc::bench
        /// [bench_json]: crate::doc::bench_json
        /// [chat]: crate::doc::chat
        /// [conformance]: crate::doc::conformance
        /// [development]: crate::doc::development
        /// [history]: crate::doc::history
        /// [http]: crate::doc::http
        /// [limits]: crate::doc::limits
        /// [models]: crate::doc::models
        /// [performance]: crate::doc::performance
        /// [reading]: crate::doc::reading
        /// [running]: crate::doc::running
        /// [security]: crate::doc::security
        /// [verify]: crate::doc::verify
        /// [config]: crate::config
        /// [source]: crate
        /// [readme]: ../../../../../README.md
        /// [growth.svg]: ../../../../../tests/shots/growth.svg
        /// [models.svg]: ../../../../../tests/shots/models.svg
        /// [peers.svg]: ../../../../../tests/shots/peers.svg
        ///
        #[doc = include_str!($file)]
        pub mod $name {}
    };
}

document!(running, "doc/running.md");
document!(chat, "doc/chat.md");
document!(history, "doc/history.md");
document!(http, "doc/http.md");
document!(bench, "doc/bench.md");
document!(bench_json, "doc/bench_json.md");
document!(models, "doc/models.md");
document!(verify, "doc/verify.md");
document!(limits, "doc/limits.md");
document!(security, "doc/security.md");
document!(conformance, "doc/conformance.md");
document!(performance, "doc/performance.md");
document!(development, "doc/development.md");
document!(reading, "doc/reading.md");
